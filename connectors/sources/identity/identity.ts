import { itemSource } from '../../drafts/item-source.ts';
import { isAuditRow, toAuditDraft } from './gateway-audit.ts';
import { findEventProblem, toIdentityDraft } from './identity-event.ts';
import { isScim, toScimDrafts } from './scim.ts';

/**
 * People who join, leave, get or lose a role or a key: events in the shape of this system, SCIM 2.0, and the audit
 * rows that gateways keep about their administration. The members of an object show which of them it is.
 */
export const identity = itemSource({
  name: 'identity',
  title: 'Identity: events, SCIM 2.0, audit rows of gateways',
  route: '/v1/identity',
  findShapeProblem: (value) => (isScim(value) || isAuditRow(value) ? undefined : findEventProblem(value)),
  sessionOf: () => undefined,
  toDrafts: (envelope, value) => {
    if (isScim(value)) return toScimDrafts(envelope, value);
    return [toAuditDraft(envelope, value) ?? toIdentityDraft(envelope, value)];
  },
});
