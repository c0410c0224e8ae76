import type { Envelope } from '../../schemas/envelope.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { expandOrQuarantine, expandUnits, toItemUnits, type ExpandedBody } from './expand.ts';
import type { UnitProblem } from '../wire/decoded-body.ts';
import type { DraftRecord, ItemUnit, SourceConnector } from './source.ts';
import { SYNTHETIC_MEMBER } from './synthetic.ts';
import { decodeNative, type FindShapeProblem } from './native-body.ts';

/** One outside system's JSON objects. Pure, like the connector that is made of it. */
export interface ItemSource {
  readonly name: string;
  /** Where an object is none of this system's; without it every object is one. */
  readonly findShapeProblem?: FindShapeProblem;
  /** The session that the item belongs to, all of its records with it. */
  readonly sessionOf: (value: JsonObject) => string | undefined;
  /** At least one draft. */
  readonly toDrafts: (envelope: Envelope, value: JsonObject) => DraftRecord[];
}

/** A connector of bodies that are a JSON object, an array of objects, or one object per line. */
export interface ItemConnector extends SourceConnector {
  /** What becomes of a body. Throws BODY_MALFORMED for what is no JSON. */
  survey(envelope: Envelope): ItemSurvey;
}

export interface ItemSurvey {
  /** Its objects in order, unsound ones among them as one record without a session. */
  readonly units: readonly ItemUnit[];
  /** Those that will be sealed as quarantined. */
  readonly problems: readonly UnitProblem[];
}

const ANY_OBJECT: FindShapeProblem = () => undefined;

/** An object may become several records; each object stands or falls by itself. */
export function itemConnector(source: ItemSource): ItemConnector {
  return {
    name: source.name,
    expand: (envelope) =>
      expandOrQuarantine(envelope, () =>
        expandItems(source, envelope).units.flatMap(({ expanded }) => expanded),
      ),
    survey: (envelope) => {
      const body = expandItems(source, envelope);
      return { units: toItemUnits(body), problems: body.problems };
    },
  };
}

function expandItems(source: ItemSource, envelope: Envelope): ExpandedBody {
  const { content_type, body } = envelope;
  const decoded = decodeNative(content_type, body, source.findShapeProblem ?? ANY_OBJECT);
  return expandUnits(envelope, decoded, ({ value }) => {
    const drafts = source.toDrafts(envelope, value);
    if (value[SYNTHETIC_MEMBER] === true) for (const { facts } of drafts) facts.synthetic = true;
    return { drafts, session: source.sessionOf(value) };
  });
}
