/** A whole number that an option gives. Throws an Error that names the option and what it takes. */
export function readCount(option: string, text: string, least: number, most?: number): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= least && count <= (most ?? count)) return count;
  const upTo = most === undefined ? '' : ` to ${String(most)}`;
  throw new Error(`${option} takes a whole number from ${String(least)}${upTo}`);
}
