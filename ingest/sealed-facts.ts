/** Facts name nobody, so a path in them is replaced by its sealed form, and the stated one moves to the content. Pure. */
import type { DraftRecord } from '../connectors/drafts/source.ts';
import { escapePointer } from '../schemas/json-pointer.ts';
import { Person, type StatedFacts } from '../schemas/record.ts';
import { isNobodysFolder } from './home-folders.ts';
import { setAside } from './own-members.ts';
import { readPlaces, sealPath } from './sealed-path.ts';

/** The member of content that holds each fact as its source stated it, where the sealed fact differs. */
const STATED_PATHS = 'stated_paths';
const OWN_MEMBERS = [STATED_PATHS];

/**
 * The draft with sealed facts. `file_path` gets the form of `sealPath`; in every other fact that holds text, home
 * folders become `~`. Never changes the natural key, so a record keeps its id.
 */
export function sealFacts(draft: DraftRecord): DraftRecord {
  const stated: Record<string, string> = {};
  let facts = draft.facts;
  for (const name of Object.keys(facts) as (keyof StatedFacts)[]) {
    const fact = draft.facts[name];
    if (typeof fact !== 'string' || name in Person.properties) continue;
    const form = sealFact(name, fact, draft);
    if (form === fact) continue;
    facts = { ...facts, [name]: form };
    stated[name] = fact;
  }
  const content = draft.content === null ? null : setAside(draft.content, OWN_MEMBERS);
  if (facts !== draft.facts) return { ...draft, facts, content: { ...content, [STATED_PATHS]: stated } };
  return content === draft.content ? draft : { ...draft, content };
}

function sealFact(name: keyof StatedFacts, fact: string, { folders }: DraftRecord): string {
  if (name === 'file_path') return sealPath(fact, readPlaces(folders ?? {}));
  return name === 'quarantine_pointer' ? sealPointer(fact) : sealText(fact);
}

/** Names of members can be paths. */
function sealPointer(pointer: string): string {
  if (!pointer.includes('~1')) return pointer;
  return pointer
    .split('/')
    .map((segment) => escapePointer(sealText(segment.replaceAll('~1', '/').replaceAll('~0', '~'))))
    .join('/');
}

/** A home folder within a text, up to the end of the account's name. A name may hold blanks where a path goes on behind it. */
const HOME_IN_TEXT =
  /(?<![\w.-])(?:(?:\/mnt\/[a-z])?\/(?:home|Users)|[A-Za-z]:[\\/]+(?:Users|Documents and Settings))[\\/]+((?:[^\\/"'<>|:*?\r\n]{1,64}(?=[\\/])|[^\s\\/"'<>|:*?,;)]+))/g;

function sealText(text: string): string {
  if (!text.includes('/') && !text.includes('\\')) return text;
  return text.replaceAll(HOME_IN_TEXT, (folder, name: string) => (isNobodysFolder(name) ? folder : '~'));
}
