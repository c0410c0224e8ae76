/** The bytes of an OTLP/JSON request as pieces, each of one item or of a group that stays in one piece. */
import {
  COMMA,
  holderAround,
  joined,
  opens,
  readList,
  readMembers,
  type JsonList,
  type TakeElement,
} from '../json/list-pieces.ts';
import { JsonScanner, type JsonToken } from '../json/scan.ts';
import { emptyUnit, type Holder, type Piece, type UnitSequence } from '../pieces.ts';
import { METRIC_KINDS, OTLP_SIGNALS, type OtlpSignal } from './descriptor.ts';
import { isDefinedIn, mappedName } from './spelling.ts';
import { unreadPointer } from './unread.ts';

interface Cutting {
  readonly bytes: Buffer;
  readonly scanner: JsonScanner;
  readonly signal: OtlpSignal;
  readonly units: UnitSequence;
}

/** Reads one element of a list to its end and adds its pieces to `into`. */
type CutElement = (cutting: Cutting, into: Piece[], token: JsonToken, pointer: string) => void;

/** The pieces of a request that the decoder has accepted; undefined if the request has no pieces. */
export function cutOtlpJson(signal: OtlpSignal, bytes: Buffer, units: UnitSequence): Holder | undefined {
  const scanner = new JsonScanner(bytes.toString('latin1'));
  const cutting = { bytes, scanner, signal, units };
  const name = OTLP_SIGNALS[signal].resourceGroups;
  const token = scanner.next();
  if (!opens(scanner, token, 'object')) return undefined;
  let groups: Member | undefined;
  let list: JsonList | undefined;
  const beside: Member[] = [];
  readMembers(scanner, (given, value, from) => {
    if (mappedName(given) !== name) beside.push({ given, from, to: scanner.endOfValue(value) });
    else {
      list = readList(scanner, value, takeElements(cutting, `/${given}`, cutResourceGroup));
      groups = { given, from, to: scanner.to };
    }
  });
  if (groups === undefined || list === undefined || list.pieces.length === 0) return undefined;
  const isBeside = beside.some(({ given }) => units.isUnsound(unreadPointer('', given)));
  if (!isBeside) return holderAround(bytes, 0, bytes.length, list);
  const within = [holderAround(bytes, groups.from, groups.to, list), ...beside.map(toPiece(cutting))];
  return { within, wrap: (pieces) => [OPENING, ...joined(pieces, COMMA), CLOSING] };
}

/** A member of the request, from its name to the end of its value. */
interface Member {
  readonly given: string;
  readonly from: number;
  readonly to: number;
}

const OPENING = Buffer.from('{');
const CLOSING = Buffer.from('}');

/** A member beside the groups is an item if it says something. */
function toPiece({ bytes, units }: Cutting): (member: Member) => Piece {
  return ({ given, from, to }) => {
    const member = bytes.subarray(from, to);
    return units.isUnsound(unreadPointer('', given)) ? units.take(member) : emptyUnit(member);
  };
}

/** The list that is a member of the object at the scanner's current token. Reads the object to its end. */
function readListMember(
  cutting: Cutting,
  token: JsonToken,
  { pointer, name }: { readonly pointer: string; readonly name: string },
  cutElement: CutElement,
): JsonList | undefined {
  const { scanner } = cutting;
  if (!opens(scanner, token, 'object')) {
    scanner.endOfValue(token);
    return undefined;
  }
  let list: JsonList | undefined;
  readMembers(scanner, (member, value) => {
    if (mappedName(member) !== name) scanner.endOfValue(value);
    else list = readList(scanner, value, takeElements(cutting, `${pointer}/${member}`, cutElement));
  });
  return list;
}

/** An element that is unsound stays in one piece. */
function takeElements(cutting: Cutting, pointer: string, cutElement: CutElement): TakeElement {
  const { bytes, scanner, units } = cutting;
  return (into, token, index) => {
    const place = units.hasUnsound ? `${pointer}/${index}` : '';
    if (!units.isUnsound(place)) cutElement(cutting, into, token, place);
    else {
      const { from } = scanner;
      into.push(units.take(bytes.subarray(from, scanner.endOfValue(token))));
    }
  };
}

function pushHolder(
  { bytes, scanner }: Cutting,
  into: Piece[],
  from: number,
  list: JsonList | undefined,
): void {
  const { to } = scanner;
  if (list === undefined || list.pieces.length === 0) into.push(emptyUnit(bytes.subarray(from, to)));
  else into.push(holderAround(bytes, from, to, list));
}

const cutResourceGroup: CutElement = (cutting, into, token, pointer) => {
  const { from } = cutting.scanner;
  const name = OTLP_SIGNALS[cutting.signal].scopeGroups;
  pushHolder(cutting, into, from, readListMember(cutting, token, { pointer, name }, cutScopeGroup));
};

const cutScopeGroup: CutElement = (cutting, into, token, pointer) => {
  const { from } = cutting.scanner;
  const name = OTLP_SIGNALS[cutting.signal].items;
  const cutElement = cutting.signal === 'metrics' ? cutMetric : cutItem;
  pushHolder(cutting, into, from, readListMember(cutting, token, { pointer, name }, cutElement));
};

const cutItem: CutElement = ({ bytes, scanner, units }, into, token) => {
  const { from } = scanner;
  into.push(units.take(bytes.subarray(from, scanner.endOfValue(token))));
};

/** A sound metric has one kind at most, that is one list of points. */
const cutMetric: CutElement = (cutting, into, _token, pointer) => {
  const { bytes, scanner, units } = cutting;
  const { from } = scanner;
  const lists: (JsonList | undefined)[] = [];
  const unknown: string[] = [];
  readMembers(scanner, (member, value) => {
    if (!isDefinedIn('Metric', member)) unknown.push(member);
    const kind = METRIC_KINDS.find((name) => name === mappedName(member));
    if (kind === undefined || !opens(scanner, value, 'object')) scanner.endOfValue(value);
    else {
      const place = { pointer: `${pointer}/${member}`, name: 'dataPoints' };
      lists.push(readListMember(cutting, value, place, cutItem));
    }
  });
  if (lists.length > 0) pushHolder(cutting, into, from, lists[0]);
  // A metric of a kind from a later version is one item.
  else if (unknown.length > 0) into.push(units.take(bytes.subarray(from, scanner.to)));
  else into.push(emptyUnit(bytes.subarray(from, scanner.to)));
};
