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
 * The members of an item that no fact carries. `parts` holds those of the record itself. Attributes keep the source's
 * spelling. Members that OTLP did not define when this was written are kept under `extensions`.
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

/** Items share one resource object if their facts took nothing from it. */
function leftOfResource(resource: JsonObject, attributes: JsonObject): JsonObject {
  if (attributes === resource['attributes']) return omitMembers(resource, UNKNOWN);
  const left = copyWithout(resource, APART);
  setPart(left, 'attributes', ifAny(attributes));
  return left;
}
