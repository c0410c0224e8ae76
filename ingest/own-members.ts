/** Members of content that only this program writes. */
import { isJsonObject, setMember, type JsonValue } from '../schemas/json.ts';
import type { Content } from '../schemas/record.ts';

/** Moves members of these names from the source to `extensions`, into the present object or around it. */
export function setAside(content: Content, names: readonly string[]): Content {
  if (!names.some((name) => Object.hasOwn(content, name))) return content;
  const rest: Record<string, JsonValue> = {};
  const aside: Record<string, JsonValue> = {};
  for (const name of Object.keys(content)) {
    if (name !== 'extensions') setMember(names.includes(name) ? aside : rest, name, content[name] ?? null);
  }
  const own = content['extensions'];
  const mayJoin = isJsonObject(own) && !names.some((name) => Object.hasOwn(own, name));
  const extensions =
    own === undefined ? aside : mayJoin ? { ...own, ...aside } : { content: own, event: aside };
  return { ...rest, extensions };
}
