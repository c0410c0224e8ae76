import { expect, it } from 'vitest';
import { PART_KINDS } from '../../schemas/bundle.ts';
import { classOfPart, RECORD_CLASSES, RETENTION_CLASSES } from '../../schemas/retention.ts';

it.each([
  ['content', ['facts', 'person', 'content']],
  ['file', ['facts', 'person', 'file']],
  ['admin', ['admin', 'admin', 'admin']],
] as const)('the parts of a record of class %s have the classes %j', (recordClass, classes) => {
  expect(PART_KINDS.map((kind) => classOfPart(kind, recordClass))).toEqual(classes);
});

it('every class is that of a part, of the log or of packages', () => {
  const ofParts = RECORD_CLASSES.flatMap((name) => PART_KINDS.map((kind) => classOfPart(kind, name)));
  expect(new Set<string>([...ofParts, 'proof', 'package'])).toEqual(new Set(RETENTION_CLASSES));
});
