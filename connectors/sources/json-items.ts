import type { Envelope } from '../../schemas/envelope.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { expandOrQuarantine, MAX_ITEMS, quarantineBody, type UnitProblem } from '../quarantine.ts';
import type { DraftRecord, Expanded, ItemUnit, SourceConnector } from '../source.ts';
import { SYNTHETIC_MEMBER } from '../synthetic.ts';
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
      const { units, problems } = expandItems(source, envelope);
      return {
        units: units.map(({ expanded, session }) => ({ recordCount: expanded.length, session })),
        problems,
      };
    },
  };
}

interface ExpandedUnit {
  readonly expanded: Expanded[];
  readonly session: string | undefined;
}

interface ExpandedBody {
  readonly units: readonly ExpandedUnit[];
  readonly problems: readonly UnitProblem[];
}

function expandItems(source: ItemSource, envelope: Envelope): ExpandedBody {
  const { content_type, body } = envelope;
  const decoded = decodeNative(content_type, body, source.findShapeProblem ?? ANY_OBJECT);
  const units = new Array<ExpandedUnit>(decoded.itemCount);
  let draftCount = 0;
  for (const { index, value } of decoded.items) {
    const drafts = source.toDrafts(envelope, value);
    if (value[SYNTHETIC_MEMBER] === true) for (const { facts } of drafts) facts.synthetic = true;
    draftCount += drafts.length;
    if (draftCount > MAX_ITEMS) return oversized(envelope);
    const expanded = drafts.map((draft): Expanded => ({ kind: 'draft', draft }));
    units[index] = { expanded, session: source.sessionOf(value) };
  }
  const cuts = decoded.problems.length > 0 ? decoded.unitBytes() : new Map<string, Uint8Array>();
  for (const { index, unit_pointer, pointer, reason } of decoded.problems) {
    const bytes = cuts.get(unit_pointer) ?? body;
    const item = { reason, pointer, bytes };
    units[index] = { expanded: [{ kind: 'quarantined', item }], session: undefined };
  }
  return { units, problems: decoded.problems };
}

function oversized(envelope: Envelope): ExpandedBody {
  const reason = 'body_expands_too_large';
  return {
    units: [{ expanded: quarantineBody(envelope, reason), session: undefined }],
    problems: [{ index: 0, unit_pointer: '', pointer: '', reason }],
  };
}
