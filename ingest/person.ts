import { Person, type Facts, type StatedFacts } from '../schemas/record.ts';

const PERSON_MEMBERS: ReadonlySet<string> = new Set(Object.keys(Person.properties));

/** Takes apart what a source states in one object: facts, and the person where one is named. */
export function splitPerson(stated: StatedFacts): { readonly facts: Facts; readonly person: Person | null } {
  if (!Object.keys(stated).some((name) => PERSON_MEMBERS.has(name))) return { facts: stated, person: null };
  const facts: Record<string, unknown> = {};
  const person: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(stated)) {
    if (PERSON_MEMBERS.has(name)) person[name] = value;
    else facts[name] = value;
  }
  return { facts: facts as Facts, person: person };
}
