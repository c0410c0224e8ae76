import type { JsonObject } from '../../../schemas/json.ts';
import type { Content } from '../../../schemas/record.ts';
import {
  ifAny,
  setPart,
  omitMembers,
  toContent,
  copyWithout,
  type ContentParts,
} from '../../drafts/members.ts';
import type { OtelEvent } from './otel-event.ts';

const UNKNOWN: ReadonlySet<string> = new Set(['unknown']);
const APART: ReadonlySet<string> = new Set(['attributes', 'unknown']);

/**
 * Everything of an item that no fact carries. `parts` is what is left of its own members; attributes keep the
 * source's spelling, and members that OTLP did not define when this was written stand under `extensions`.
 */
export function toOtelContent({ item, members }: OtelEvent, parts: ContentParts): Content | null {
  const { resource, scope, metric, record } = item;
  const extensions: ContentParts = {};
  setPart(extensions, 'resource', resource['unknown']);
  setPart(extensions, 'scope', scope['unknown']);
  setPart(extensions, 'metric', metric['unknown']);
  setPart(extensions, 'record', record['unknown']);
  setPart(parts, 'attributes', ifAny(members.rest()));
  setPart(parts, 'resource', ifAny(leftOfResource(resource, members.sharedRest())));
  setPart(parts, 'scope', ifAny(omitMembers(scope, UNKNOWN)));
  setPart(parts, 'extensions', ifAny(extensions));
  return toContent(parts);
}

/** Items whose facts took nothing of it have their resource in common. */
function leftOfResource(resource: JsonObject, attributes: JsonObject): JsonObject {
  if (attributes === resource['attributes']) return omitMembers(resource, UNKNOWN);
  const left = copyWithout(resource, APART);
  setPart(left, 'attributes', ifAny(attributes));
  return left;
}
