/** A message as JSON.parse or the protobuf reader yields it, before it is checked. */
export type RawMessage = Readonly<Record<string, unknown>>;

export function isMessage(value: unknown): value is RawMessage {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Decoded protobuf messages inherit defaults from their prototype; only what was on the wire counts. */
export function ownMember(raw: RawMessage, name: string): unknown {
  return Object.hasOwn(raw, name) ? raw[name] : undefined;
}
