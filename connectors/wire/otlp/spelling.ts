/**
 * The two names of a member in OTLP/JSON: the JSON mapping of protobuf writes lowerCamelCase, and its parsers must also
 * accept the name of the protobuf definition, which is in snake case.
 */
import { OTLP_MESSAGES, type MessageName } from './descriptor.ts';
import type { RawMessage } from './raw-message.ts';

const DEFINED: ReadonlyMap<string, string> = new Map(
  Object.values(OTLP_MESSAGES)
    .flatMap((message) => Object.keys(message))
    .map((name) => [name, toSnakeCase(name)]),
);
const MAPPED: ReadonlyMap<string, string> = new Map([...DEFINED].map(([name, defined]) => [defined, name]));

export function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The name as OTLP/JSON writes it; a name that no message has is returned as it is. */
export function mappedName(given: string): string {
  return MAPPED.get(given) ?? given;
}

/** The name by which a message has the member, which may be either; the one of OTLP/JSON if it has neither. */
export function givenName(raw: RawMessage, name: string): string {
  if (Object.hasOwn(raw, name)) return name;
  const defined = DEFINED.get(name) ?? name;
  return Object.hasOwn(raw, defined) ? defined : name;
}

/** Whether a member of this name, in either spelling, is defined for the message. */
export function isDefinedIn(message: MessageName, given: string): boolean {
  return Object.hasOwn(OTLP_MESSAGES[message], mappedName(given));
}
