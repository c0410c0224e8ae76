/** Whether a record may be sealed: its leaf and its row must be of their schemas for ever. Pure. */
import { Compile } from 'typebox/compile';
import { isOwnInstant } from './clock.ts';
import { AuditRecordHeader, Facts, Person, type AuditRecord } from './record.ts';

/** Compiled once: each record is judged before it is sealed. */
const headerShape = Compile(AuditRecordHeader);
const factsShape = Compile(Facts);
const personShape = Compile(Person);

/** The receiver's clock must have the form in which the record store and the leaf keep it. Content may be anything. */
export function isSealable(record: AuditRecord): boolean {
  return (
    headerShape.Check(record) &&
    isOwnInstant(record.received_at) &&
    factsShape.Check(record.facts) &&
    (record.person === null || personShape.Check(record.person))
  );
}
