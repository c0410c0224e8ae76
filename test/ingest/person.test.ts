import fc from 'fast-check';
import { expect, it } from 'vitest';
import { splitPerson } from '../../ingest/person.ts';
import { Facts, Person, type StatedFacts } from '../../schemas/record.ts';

const value = fc.string();
const stated = fc.record(
  Object.fromEntries(
    [...Object.keys(Facts.properties), ...Object.keys(Person.properties)].map((name) => [name, value]),
  ),
  { requiredKeys: ['source_event', 'collector'] },
) as unknown as fc.Arbitrary<StatedFacts>;

it('splits what a source states: every member is in one part, and facts name nobody', () => {
  fc.assert(
    fc.property(stated, (whole) => {
      const before = structuredClone(whole);
      const { facts, person } = splitPerson(whole);
      expect({ ...facts, ...person }).toEqual(whole);
      expect(Object.keys(facts).filter((name) => name in Person.properties)).toEqual([]);
      expect(Object.keys(person ?? {}).filter((name) => name in Facts.properties)).toEqual([]);
      expect(whole).toEqual(before);
    }),
  );
});

it('gives no person where the source names nobody', () => {
  expect(splitPerson({ source_event: 'Stop', collector: 'laptop' }).person).toBeNull();
});

it('no member is both a fact and of the person', () => {
  expect(Object.keys(Person.properties).filter((name) => name in Facts.properties)).toEqual([]);
});
