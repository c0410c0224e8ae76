import type { JsonObject } from '../../../schemas/json.ts';
import type { Content } from '../../../schemas/record.ts';
import { ifAny, keep, omitMembers, toContent, toParts, type Parts } from '../../drafts/members.ts';
import type { OtelEvent } from './otel-event.ts';

const UNKNOWN: ReadonlySet<string> = new Set(['unknown']);
const APART: ReadonlySet<string> = new Set(['attributes', 'unknown']);

/**
 * Everything of an item that no fact carries. `parts` is what is left of its own members; attributes keep the
 * source's spelling, and members that OTLP did not define when this was written stand under `extensions`.
 */
export function toOtelContent({ item, members }: OtelEvent, parts: Parts): Content | null {
  const { resource, scope, metric, record } = item;
  const extensions: Parts = {};
  keep(extensions, 'resource', resource['unknown']);
  keep(extensions, 'scope', scope['unknown']);
  keep(extensions, 'metric', metric['unknown']);
  keep(extensions, 'record', record['unknown']);
  keep(parts, 'attributes', ifAny(members.rest()));
  keep(parts, 'resource', ifAny(leftOfResource(resource, members.sharedRest())));
  keep(parts, 'scope', ifAny(omitMembers(scope, UNKNOWN)));
  keep(parts, 'extensions', ifAny(extensions));
  return toContent(parts);
}

/** Items whose facts took nothing of it have their resource in common. */
function leftOfResource(resource: JsonObject, attributes: JsonObject): JsonObject {
  if (attributes === resource['attributes']) return omitMembers(resource, UNKNOWN);
  const left = toParts(resource, APART);
  keep(left, 'attributes', ifAny(attributes));
  return left;
}
