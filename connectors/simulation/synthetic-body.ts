import { decodeProtobuf, encodeProtobuf } from '../wire/otlp/protobuf.ts';
import type { OtlpSignal } from '../wire/otlp/descriptor.ts';
import { SYNTHETIC_ATTRIBUTE, SYNTHETIC_MEMBER } from '../drafts/synthetic.ts';
import { lengthenRequestIds } from './identifiers.ts';
import type { RecordedRequest } from './recording.ts';

/** A recorded body that is marked as synthetic, still in its client's encoding. */
export interface SyntheticBody {
  readonly bytes: Uint8Array;
  /** Its content as JSON text, from either encoding: 64-bit integers are decimal strings. */
  readonly text: string;
}

interface ResourceGroup {
  resource?: { attributes?: object[] } | null;
}

/** Marks a recorded body as synthetic, and makes its request ids long enough to be unique. */
export function toSyntheticBody({ path, contentType, body }: RecordedRequest): SyntheticBody {
  const signal = signalOf(path);
  if (signal !== undefined && contentType === 'application/x-protobuf') {
    const request = decodeProtobuf(signal, body);
    markResources(request);
    rewriteTexts(request, lengthenRequestIds);
    return { bytes: encodeProtobuf(signal, request), text: JSON.stringify(request) };
  }
  const value = JSON.parse(lengthenRequestIds(new TextDecoder().decode(body))) as object;
  if (signal === undefined) Object.assign(value, { [SYNTHETIC_MEMBER]: true });
  else markResources(value);
  const text = JSON.stringify(value);
  return { bytes: new TextEncoder().encode(text), text };
}

export function signalOf(path: string): OtlpSignal | undefined {
  return (['logs', 'metrics', 'traces'] as const).find((signal) => path === `/v1/${signal}`);
}

function markResources(request: object): void {
  const mark = { key: SYNTHETIC_ATTRIBUTE, value: { boolValue: true } };
  for (const groups of Object.values(request) as ResourceGroup[][]) {
    for (const group of groups) {
      group.resource ??= {};
      group.resource.attributes = [...(group.resource.attributes ?? []), mark];
    }
  }
}

function rewriteTexts(value: object, rewrite: (text: string) => string): void {
  const members = value as Record<string, unknown>;
  for (const [name, member] of Object.entries(members)) {
    if (typeof member === 'string') members[name] = rewrite(member);
    else if (typeof member === 'object' && member !== null && !(member instanceof Uint8Array)) {
      rewriteTexts(member, rewrite);
    }
  }
}
