/** The judges of the lines of a bundle: what these refuse is no header or no leaf. */
import { BundleHeader } from '../../schemas/bundle.ts';
import { Leaf } from '../../schemas/leaf.ts';
import type { LineReaders } from './bundle.ts';
import { readLeafLine } from './leaf-line.ts';
import { parseCanonical } from './shape.ts';

export const LINE_READERS: LineReaders = {
  header: (line) => parseCanonical(BundleHeader, line),
  leaf: (line) => readLeafLine(line) ?? parseCanonical(Leaf, line),
};
