import { itemSource } from '../../drafts/item-source.ts';
import { isAuditRow, toAuditDraft } from './gateway-audit.ts';
import { findEventProblem, toIdentityDraft } from './identity-event.ts';
import { isScim, toScimDrafts } from './scim.ts';

/**
 * Who joined, left, got or lost a role or a key: events in a shape of ours, SCIM 2.0, and the audit rows that gateways
 * keep of their own administration. Which of them an object is, its members say.
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
