/** Labels records: which kinds of data about people, and which secrets, their content holds and where. */
import { findPersonal } from '../connectors/detect/personal.ts';
import { DATA_CLASSES, SECRET_TYPES, type DataClass } from '../schemas/data-class.ts';
import { toShortSegment } from '../schemas/json-pointer.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../schemas/json.ts';
import type { Content, StatedFacts } from '../schemas/record.ts';
import { Findings } from './findings.ts';
import { setAside } from './own-members.ts';

interface RecordToLabel {
  readonly facts: StatedFacts;
  readonly content: Content | null;
  /** Whether a receiver has replaced secrets by marks in the body of this record. */
  readonly isRedacted: boolean;
}

export interface RecordLabels {
  readonly content: Content | null;
  /** Sorted, each once. */
  readonly data_classes: readonly DataClass[];
}

export type LabelRecord = (record: RecordToLabel) => RecordLabels;

/**
 * Labels a record before it is sealed: the kinds of data about people in its content and where they are, and the kinds of
 * secrets that were taken out of it. Content gets a member `data_findings`, which a source cannot write: a member of that
 * name from the source moves to `extensions`. Text is never changed. Bytes of quarantined items are searched as text, and
 * get classes without findings. Linear in the text; the same record gets the same labels whatever came before.
 */
export function createLabeller(): LabelRecord {
  // Shared members of the record before; `walkContent` alone changes them.
  const shared = new Map<string, SharedMember>();
  return (record) => labelRecord(record, shared);
}

/** A member that several records share as one object, with its findings, so that it is searched once. */
interface SharedMember {
  readonly member: JsonValue;
  readonly isRedacted: boolean;
  readonly findings: Findings;
}

/** A name of more or other characters is searched like text. */
const LONGEST_WORD = 40;
const PLAIN_NAME = /^[\w./ -]*$/;
/** Members that the items of one OTLP body share as one object. */
const SHARED_MEMBERS: ReadonlySet<string> = new Set(['resource', 'scope', 'metric']);

function labelRecord(
  { facts, content, isRedacted }: RecordToLabel,
  shared: Map<string, SharedMember>,
): RecordLabels {
  const labels = createLabels(isRedacted);
  for (const claimed of facts.data_classes ?? []) labels.claim(claimed);
  if (isRedacted) markFacts(facts, labels);
  if (content === null) return { content, data_classes: labels.classes() };
  const own = setAside(content, OWN_MEMBERS);
  walkContent(own, labels, shared);
  const quarantined = facts.quarantine_reason === undefined ? undefined : own['body_base64'];
  if (typeof quarantined === 'string') labels.takeBytes(Buffer.from(quarantined, 'base64'));
  return { content: withFindings(own, labels.findings), data_classes: labels.classes() };
}

function walkContent(content: Content, labels: Labels, shared: Map<string, SharedMember>): void {
  const { isRedacted, findings } = labels;
  for (const name of Object.keys(content)) {
    const member = content[name] ?? null;
    if (!SHARED_MEMBERS.has(name) || typeof member !== 'object') {
      walkMember(name, member, undefined, labels);
      continue;
    }
    let known = shared.get(name);
    if (known?.member !== member || known.isRedacted !== isRedacted) {
      const part = createLabels(isRedacted);
      walkMember(name, member, undefined, part);
      known = { member, isRedacted, findings: part.findings };
      shared.set(name, known);
    }
    findings.join(known.findings);
  }
}

/** Path to a value, from the inside out. Its pointer is built only where something is found. */
interface ValuePath {
  readonly segment: string | number;
  readonly parent: ValuePath | undefined;
}

function walk(value: JsonValue, name: string, path: ValuePath, labels: Labels): void {
  if (typeof value === 'string') labels.takeText(value, name, path, false);
  else if (typeof value !== 'object' || value === null) return;
  else if (isJsonObject(value)) walkObject(value, path, labels);
  else value.forEach((element, segment) => walk(element, '', { segment, parent: path }, labels));
}

function walkObject(object: JsonObject, parent: ValuePath | undefined, labels: Labels): void {
  for (const name of Object.keys(object)) walkMember(name, object[name] ?? null, parent, labels);
}

function walkMember(name: string, value: JsonValue, parent: ValuePath | undefined, labels: Labels): void {
  const path = { segment: name, parent };
  // Sources use short words as names; a longer name may come from a person.
  if (name.length > LONGEST_WORD || !PLAIN_NAME.test(name)) labels.takeText(name, '', path, true);
  walk(value, name, path, labels);
}

interface Labels {
  readonly isRedacted: boolean;
  readonly findings: Findings;
  takeText(text: string, name: string, path: ValuePath, isName: boolean): void;
  takeBytes(bytes: Buffer): void;
  /** Adds a class that the source names. */
  claim(type: string): void;
  classes(): DataClass[];
}

/** No detector finds anything in a shorter text. */
const MIN_TEXT_LENGTH = 6;
const MARK = /\[secret:([a-z_]{1,32}):[0-9a-f]{16}\]/g;
const KNOWN: ReadonlySet<string> = new Set(DATA_CLASSES);
const SECRETS: ReadonlySet<string> = new Set(SECRET_TYPES);

/** The labels of one record or of a part of it, collected while its content is walked. */
function createLabels(isRedacted: boolean): Labels {
  const findings = new Findings();
  const find = (text: string, name: string) => {
    const found = text.length < MIN_TEXT_LENGTH ? [] : findPersonal(text, name);
    return isRedacted && text.includes('[secret:') ? [...found, ...findMarks(text)] : found;
  };
  return {
    isRedacted,
    findings,
    takeText(text, name, path, isName) {
      let pointer: string | undefined;
      for (const { type, start, end } of find(text, name)) {
        findings.add(type, () => {
          pointer ??= toPointer(path);
          return isName ? { type, pointer, start, end, of: 'name' } : { type, pointer, start, end };
        });
      }
    },
    takeBytes(bytes) {
      for (const { type } of find(bytes.toString('utf8'), '')) findings.addType(type);
    },
    claim(type) {
      if (KNOWN.has(type)) findings.addType(type as DataClass);
    },
    classes: () => [...findings.types].sort(),
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

/** StatedFacts are identifiers and are not searched; only marks in them count. */
function markFacts(facts: StatedFacts, labels: Labels): void {
  for (const fact of Object.values(facts)) {
    if (typeof fact === 'string') for (const { type } of findMarks(fact)) labels.claim(type);
  }
}

/** RFC 6901 section 3; a long name is cut. */
function toPointer(path: ValuePath | undefined): string {
  if (path === undefined) return '';
  const { segment, parent } = path;
  return `${toPointer(parent)}/${typeof segment === 'number' ? segment : toShortSegment(segment)}`;
}

/** Members that only this file writes. */
const OWN_MEMBERS = ['data_findings', 'data_findings_omitted'];

function withFindings(content: Content, { listed, omitted }: Findings): Content {
  if (listed.length === 0 && omitted === 0) return content;
  const labelled = { ...content, data_findings: listed };
  return omitted === 0 ? labelled : { ...labelled, data_findings_omitted: omitted };
}
