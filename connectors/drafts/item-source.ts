import type { Envelope, EnvelopeHeader } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { JsonObject, JsonValue } from '../../schemas/json.ts';
import type { DecodedBody } from '../wire/body.ts';
import { COUNTED_ITEMS } from './answers.ts';
import { expandItems, expandOrQuarantine, readItems } from './decoded-items.ts';
import { decodeJsonItems, firstCharacterOf, type JsonItem } from './json-body.ts';
import type { DraftRecord, Source } from './source.ts';
import { SYNTHETIC_MEMBER } from './synthetic.ts';

/** The JSON text of a body that may arrive wrapped in another format. */
export interface Payload {
  readonly content_type: EnvelopeHeader['content_type'];
  readonly body: Uint8Array;
}

/** An outside system whose bodies are JSON objects: one, an array of them, or one per line. */
export interface ItemSourceOptions<Name extends string>
  extends Pick<Source<Name>, 'name' | 'title' | 'route'>, Partial<Pick<Source<Name>, Defaulted>> {
  /** Whether a body is one object and nothing else. @default false */
  readonly isSingle?: boolean;
  /** The JSON text of a body. Throws BODY_MALFORMED. @default the body itself */
  readonly openPayload?: (envelope: Envelope) => Payload;
  /** The place at which an object is not an item of this system. @default every object is one */
  readonly findShapeProblem?: (value: JsonObject) => string | undefined;
  /** The reason why a line, and with it the whole body, must not be kept. @default every line may be kept */
  readonly refuseLine?: (value: JsonValue) => string | undefined;
  /** The session of the item and of all its records. */
  readonly sessionOf: (value: JsonObject) => string | undefined;
  /** At least one draft. */
  readonly toDrafts: (envelope: Envelope, value: JsonObject) => DraftRecord[];
  /** How many drafts `toDrafts` makes, if counting them is cheaper than making them. @default their number */
  readonly countOf?: (value: JsonObject) => number;
}

type Defaulted = 'contentTypes' | 'otherTypes' | 'proof' | 'answer';

/** Each object is judged by itself and may become several records. */
export function itemSource<const Name extends string>(options: ItemSourceOptions<Name>): Source<Name> {
  const { openPayload = asSent, findShapeProblem, refuseLine, toDrafts } = options;
  const countOf = (envelope: Envelope, value: JsonObject): number =>
    options.countOf?.(value) ?? toDrafts(envelope, value).length;
  return {
    name: options.name,
    title: options.title,
    route: options.route,
    contentTypes: options.contentTypes ?? ['application/json', 'application/x-ndjson'],
    otherTypes: options.otherTypes,
    proof: options.proof ?? 'bearer',
    answer: options.answer ?? COUNTED_ITEMS,
    read(envelope) {
      const payload = openPayload(envelope);
      const decoded = decodeReceived(payload, options.isSingle === true, { findShapeProblem, refuseLine });
      return readItems(envelope, decoded, {
        countOf: ({ value }) => countOf(envelope, value),
        sessionOf: ({ value }) => options.sessionOf(value),
      });
    },
    expand: (envelope) =>
      expandOrQuarantine(envelope, () => {
        const payload = openPayload(envelope);
        const opened = payload === envelope ? envelope : { ...envelope, ...payload };
        const decoded = decodeJsonItems(payload.content_type, payload.body, { findShapeProblem });
        return expandItems(opened, decoded, ({ value }) => {
          const drafts = toDrafts(opened, value);
          if (value[SYNTHETIC_MEMBER] === true) for (const { facts } of drafts) facts.synthetic = true;
          return drafts;
        });
      }),
  };
}

/** A body that is JSON text already. */
function asSent(envelope: Envelope): Payload {
  return envelope;
}

/** Throws BODY_MALFORMED for a body without items. A body with items is never refused because of one of them. */
export function decodeReceived(
  { content_type, body }: Payload,
  isSingle: boolean,
  rules: Parameters<typeof decodeJsonItems>[2],
): DecodedBody<JsonItem> {
  const decoded = decodeJsonItems(content_type, body, rules);
  if (content_type === 'application/x-ndjson') return decoded;
  const first = firstCharacterOf(body);
  if (first === '{' || (first === '[' && !isSingle)) return decoded;
  const detail = isSingle
    ? 'a webhook body is a JSON object'
    : 'the body is neither an object nor an array of objects';
  throw new PipelineError('BODY_MALFORMED', detail, { place: 'line 1 column 1' });
}
