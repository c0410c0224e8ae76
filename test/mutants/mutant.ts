/** A defect that is planted on purpose in a copy of the tree. If every test passes with it, the tests miss a fault. */
export interface Mutant {
  /** In snake_case, never used for another defect. */
  readonly name: string;
  /** A sentence on the program once the defect is in it. */
  readonly defect: string;
  readonly file: string;
  /** A text that the file holds exactly once, and the text that replaces it. */
  readonly find: string;
  readonly replace: string;
  /** The test files of which one must catch it. */
  readonly tests: readonly string[];
  /** Its tests take so long that `--quick` leaves it out. @default false */
  readonly isSlow?: boolean;
  /** Its tests read system calls, so it is left out, with the reason printed, where `strace` does not run. @default false */
  readonly needsTracer?: boolean;
}

/** The text with the defect in it. Throws unless the text to replace is there exactly once. */
export function plant(text: string, { name, file, find, replace }: Mutant): string {
  const count = text.split(find).length - 1;
  if (count !== 1) {
    throw new Error(`${name} no longer applies: ${file} holds its text ${String(count)} times and not once`);
  }
  const planted = text.replace(find, () => replace);
  if (planted === text) throw new Error(`${name} changes nothing`);
  return planted;
}
