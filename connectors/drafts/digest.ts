import { hash } from 'node:crypto';
import { canonicalJson } from '../../schemas/canonical.ts';
import { toHashable, type JsonValue } from '../../schemas/json.ts';

/** SHA-256 in hex of an item's canonical JSON after `toHashable`: the last part of every natural key. */
export function digestItem(item: JsonValue): string {
  return hash('sha256', canonicalJson(toHashable(item)), 'hex');
}
