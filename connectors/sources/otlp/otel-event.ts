import { hash } from 'node:crypto';
import { canonicalJson } from '../../../schemas/canonical.ts';
import type { Envelope } from '../../../schemas/envelope.ts';
import { isJsonObject, type JsonObject } from '../../../schemas/json.ts';
import type { OtlpItem } from '../../wire/otlp/decoding.ts';
import { openMembers, type Members } from '../../drafts/members.ts';

/** An OTLP item with its attributes. The item's own attributes come before those of its resource. */
export interface OtelEvent {
  readonly envelope: Envelope;
  readonly item: OtlpItem;
  /**
   * SHA-256 in hex over canonical JSON of resource, scope, metric and record: the same for one event in any grouping
   * and either encoding.
   */
  readonly digest: string;
  readonly attributes: JsonObject;
  readonly members: Members;
  /** Whether the scope is Claude Code's own; another emitter's attributes may use the same names differently. */
  readonly isClaudeCode: boolean;
}

/** Opens the items of one body. Parts that the items of a group share are serialised once. */
export function openOtelEvents(envelope: Envelope): (item: OtlpItem) => OtelEvent {
  const texts = new Map<JsonObject, string>();
  function textOf(shared: JsonObject): string {
    const text = texts.get(shared) ?? canonicalJson(shared);
    texts.set(shared, text);
    return text;
  }
  return (item) => {
    const { resource, scope, metric, record } = item;
    const own = `"metric":${textOf(metric)},"record":${canonicalJson(record)}`;
    const attributes = attributesOf(record);
    return {
      envelope,
      item,
      digest: hash('sha256', `{${own},"resource":${textOf(resource)},"scope":${textOf(scope)}}`, 'hex'),
      attributes,
      members: openMembers(attributes, attributesOf(resource)),
      isClaudeCode: isClaudeCodeScope(scope),
    };
  };
}

/** The attributes of a record or a resource. */
export function attributesOf(part: JsonObject): JsonObject {
  const attributes = part['attributes'];
  return isJsonObject(attributes) ? attributes : {};
}

function isClaudeCodeScope({ name }: JsonObject): boolean {
  return typeof name === 'string' && /^com\.anthropic\.claude_code(?:\.|$)/.test(name);
}
