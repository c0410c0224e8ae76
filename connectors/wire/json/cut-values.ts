import { JsonScanner } from './scan.ts';

/**
 * Cuts the values at the given pointers out of JSON text, byte for byte, in one pass. The text must be valid; the
 * pointers are made of names without escapes and of indices. Where a name is repeated the last value counts.
 * A pointer that leads nowhere, and '', get the bytes of the whole text.
 */
export function cutValues(
  text: string,
  bytes: Uint8Array,
  pointers: ReadonlySet<string>,
): Map<string, Uint8Array> {
  const cuts = new Map<string, Uint8Array>([...pointers].map((pointer) => [pointer, bytes]));
  let maxDepth = 0;
  for (const pointer of pointers) maxDepth = Math.max(maxDepth, pointer.split('/').length - 1);
  if (maxDepth === 0) return cuts;
  const scanner = new JsonScanner(text);
  /** Wanted containers that are open: the pointer of each, where it begins, and how deep it lies. */
  const open: { readonly pointer: string; readonly from: number; readonly depth: number }[] = [];
  const cut = (pointer: string, from: number): void => {
    if (pointer !== '' && cuts.has(pointer))
      cuts.set(pointer, new TextEncoder().encode(text.slice(from, scanner.to)));
  };
  const close = (depth: number): void => {
    const container = open.at(-1);
    if (container?.depth !== depth) return;
    open.pop();
    cut(container.pointer, container.from);
  };
  for (let token = scanner.next(); token !== 'end' && token !== 'invalid'; token = scanner.next()) {
    const { path, from } = scanner;
    if (token === 'close') close(path.length);
    else if (token === 'open') {
      const depth = path.length - 1;
      open.push({ pointer: pointerOf(path.slice(0, depth)), from, depth });
      if (depth < maxDepth) continue;
      scanner.skip();
      close(depth);
    } else if (token !== 'name') cut(pointerOf(path), from);
  }
  return cuts;
}

function pointerOf(path: readonly (number | string)[]): string {
  return path.map((segment) => `/${segment}`).join('');
}
