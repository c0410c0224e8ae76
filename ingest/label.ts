import { findPersonal } from '../connectors/detect/personal.ts';
import { DATA_CLASSES, SECRET_TYPES, type DataClass } from '../schemas/data-class.ts';
import { isJsonObject, setMember, type JsonObject, type JsonValue } from '../schemas/json.ts';
import type { Content, Facts } from '../schemas/record.ts';

/** Findings that one record lists; how many more there were is said beside them. */
export const MAX_FINDINGS = 1_000;

export interface ToClassify {
  readonly facts: Facts;
  readonly content: Content | null;
  /** Whether a receiver has put marks in the place of secrets in the body that this comes from. */
  readonly isRedacted: boolean;
}

export interface Classified {
  readonly content: Content | null;
  /** Sorted, each once. */
  readonly data_classes: readonly DataClass[];
}

export type Classify = (record: ToClassify) => Classified;

/**
 * Labels a record before it is sealed: which kinds of data about people its content holds and where, and which kinds of
 * secrets were taken out of it. Content gets a member `data_findings`, which no source can write: one that the source gave
 * stands under `extensions`. Text is never changed. Bytes of quarantined items are looked at as the text they may be,
 * and get classes alone. Linear in the text; the same record gets the same labels whatever came before.
 */
export function createClassify(): Classify {
  const clean = new Map<string, JsonValue>();
  return (record) => classify(record, clean);
}

/** What the items of one OTLP body have in common, and share as one object. */
const SHARED_MEMBERS: ReadonlySet<string> = new Set(['resource', 'scope', 'metric']);

/** `clean` are the shared members of the record before in which nothing was found: they need not be read again. */
function classify({ facts, content, isRedacted }: ToClassify, clean: Map<string, JsonValue>): Classified {
  const labels = createLabels(isRedacted);
  for (const claimed of facts.data_classes ?? []) labels.claim(claimed);
  if (isRedacted) markFacts(facts, labels);
  if (content === null) return { content, data_classes: labels.classes() };
  const own = withoutFindings(content);
  if (isRedacted) walkObject(own, undefined, labels);
  else walkContent(own, labels, clean);
  const quarantined = facts.quarantine_reason === undefined ? undefined : own['body_base64'];
  if (typeof quarantined === 'string') labels.takeBytes(Buffer.from(quarantined, 'base64'));
  return { content: withFindings(own, labels), data_classes: labels.classes() };
}

function walkContent(content: Content, labels: Labels, clean: Map<string, JsonValue>): void {
  for (const name of Object.keys(content)) {
    const member = content[name] ?? null;
    const isShared = SHARED_MEMBERS.has(name) && typeof member === 'object';
    if (isShared && clean.get(name) === member) continue;
    const before = labels.count();
    walkMember(name, member, undefined, labels);
    if (isShared && labels.count() === before) clean.set(name, member);
  }
}

/** Where a value stands; its pointer is made only if something is found there. */
interface Path {
  readonly segment: string | number;
  readonly around: Path | undefined;
}

function walk(value: JsonValue, name: string, path: Path, labels: Labels): void {
  if (typeof value === 'string') labels.takeText(value, name, path, false);
  else if (typeof value !== 'object' || value === null) return;
  else if (isJsonObject(value)) walkObject(value, path, labels);
  else value.forEach((element, segment) => walk(element, '', { segment, around: path }, labels));
}

function walkObject(object: JsonObject, around: Path | undefined, labels: Labels): void {
  for (const name of Object.keys(object)) walkMember(name, object[name] ?? null, around, labels);
}

function walkMember(name: string, value: JsonValue, around: Path | undefined, labels: Labels): void {
  const path = { segment: name, around };
  // The names that sources give are short words; one that says more may come from a person.
  if (name.length > LONGEST_WORD || !PLAIN_NAME.test(name)) labels.takeText(name, '', path, true);
  walk(value, name, path, labels);
}
const LONGEST_WORD = 40;
const PLAIN_NAME = /^[\w./ -]*$/;

interface Labels {
  readonly findings: JsonObject[];
  omitted(): number;
  /** Of all findings so far. */
  count(): number;
  takeText(text: string, name: string, path: Path, isName: boolean): void;
  takeBytes(bytes: Buffer): void;
  /** What is said of a type by the source. */
  claim(type: string): void;
  classes(): DataClass[];
}

/** Nothing that is looked for is shorter. */
const LEAST_TEXT = 6;
const MARK = /\[secret:([a-z_]{1,32}):[0-9a-f]{16}\]/g;
const KNOWN: ReadonlySet<string> = new Set(DATA_CLASSES);
const SECRETS: ReadonlySet<string> = new Set(SECRET_TYPES);

function createLabels(isRedacted: boolean): Labels {
  const findings: JsonObject[] = [];
  const classes = new Set<DataClass>();
  let omitted = 0;
  const find = (text: string, name: string) => {
    const found = text.length < LEAST_TEXT ? [] : findPersonal(text, name);
    return isRedacted && text.includes('[secret:') ? [...found, ...findMarks(text)] : found;
  };
  return {
    findings,
    omitted: () => omitted,
    count: () => findings.length + omitted,
    takeText(text, name, path, isName) {
      for (const { type, start, end } of find(text, name)) {
        classes.add(type);
        const pointer = findings.length < MAX_FINDINGS ? toPointer(path) : undefined;
        if (pointer === undefined) omitted += 1;
        else findings.push({ type, pointer, start, end, ...(isName ? { of: 'name' } : {}) });
      }
    },
    takeBytes(bytes) {
      for (const { type } of find(bytes.toString('utf8'), '')) classes.add(type);
    },
    claim(type) {
      if (KNOWN.has(type)) classes.add(type as DataClass);
    },
    classes: () => [...classes].sort(),
  };
}

function findMarks(
  text: string,
): { readonly type: DataClass; readonly start: number; readonly end: number }[] {
  return [...text.matchAll(MARK)].flatMap((match) => {
    const type = match[1] ?? '';
    return SECRETS.has(type)
      ? [{ type: type as DataClass, start: match.index, end: match.index + match[0].length }]
      : [];
  });
}

/** Facts are identifiers, and stay what they are; only marks in them count. */
function markFacts(facts: Facts, labels: Labels): void {
  for (const fact of Object.values(facts)) {
    if (typeof fact === 'string') for (const { type } of findMarks(fact)) labels.claim(type);
  }
}

/** RFC 6901 section 3. */
function toPointer(path: Path | undefined): string {
  if (path === undefined) return '';
  const segment = String(path.segment).replaceAll('~', '~0').replaceAll('/', '~1');
  return `${toPointer(path.around)}/${segment}`;
}

/** Names of members that only the classifier writes. */
const OWN_MEMBERS = ['data_findings', 'data_findings_omitted'];

/** What the source called so stands under `extensions`, beside or around what is there. */
function withoutFindings(content: Content): Content {
  if (!OWN_MEMBERS.some((name) => Object.hasOwn(content, name))) return content;
  const rest: Record<string, JsonValue> = {};
  const aside: Record<string, JsonValue> = {};
  for (const name of Object.keys(content)) {
    if (name !== 'extensions')
      setMember(OWN_MEMBERS.includes(name) ? aside : rest, name, content[name] ?? null);
  }
  const own = content['extensions'];
  const mayJoin = isJsonObject(own) && !OWN_MEMBERS.some((name) => Object.hasOwn(own, name));
  const extensions =
    own === undefined ? aside : mayJoin ? { ...own, ...aside } : { content: own, event: aside };
  return { ...rest, extensions };
}

function withFindings(content: Content, labels: Labels): Content {
  const { findings } = labels;
  if (findings.length === 0) return content;
  const beyond = labels.omitted();
  return {
    ...content,
    data_findings: findings,
    ...(beyond === 0 ? {} : { data_findings_omitted: beyond }),
  };
}
