import { escapePointer } from '../../../schemas/json-pointer.ts';
import { decodeString, JsonScanner, type JsonToken } from './scan.ts';

/** A place above or at a wanted value. */
interface Place {
  /** The pointer of the wanted value at this place; undefined if only values below it are wanted. */
  pointer: string | undefined;
  /** By the next segment of the pointers. */
  readonly below: Map<string, Place>;
}

/**
 * Cuts the values at the given pointers out of JSON text, byte for byte, in one pass. The text must be valid. Where a name
 * is repeated the last value counts. A pointer that leads nowhere, and '', get the bytes of the whole text.
 *
 * Linear in the text: only a container on the way to a wanted value is read, any other is skipped.
 */
export function cutValues(
  text: string,
  bytes: Uint8Array,
  pointers: ReadonlySet<string>,
): Map<string, Uint8Array> {
  const cuts = new Map<string, Uint8Array>([...pointers].map((pointer) => [pointer, bytes]));
  const root = toPlaces(pointers);
  if (root.below.size === 0) return cuts;
  const scanner = new JsonScanner(text);
  const takeValue = (token: JsonToken, place: Place | undefined): void => {
    const { from } = scanner;
    if (token === 'open' && place !== undefined && place.below.size > 0) takeContainer(place);
    else scanner.endOfValue(token);
    if (place?.pointer !== undefined)
      cuts.set(place.pointer, new TextEncoder().encode(text.slice(from, scanner.to)));
  };
  /** Recursive only as deep as the longest pointer. */
  const takeContainer = ({ below }: Place): void => {
    for (let token = scanner.next(); token !== 'close' && token !== 'invalid'; token = scanner.next()) {
      if (token !== 'name')
        takeValue(token, below.get(segmentOf(scanner.path.at(token === 'open' ? -2 : -1))));
    }
  };
  takeValue(scanner.next(), root);
  return cuts;
}

function toPlaces(pointers: Iterable<string>): Place {
  const root: Place = { pointer: undefined, below: new Map() };
  for (const pointer of pointers) {
    if (pointer === '') continue;
    let place = root;
    for (const segment of pointer.split('/').slice(1)) {
      const next = place.below.get(segment) ?? { pointer: undefined, below: new Map<string, Place>() };
      place.below.set(segment, next);
      place = next;
    }
    place.pointer = pointer;
  }
  return root;
}

function segmentOf(place: number | string = ''): string {
  return typeof place === 'number' ? String(place) : escapePointer(decodeString(`"${place}"`));
}
