/** Characters beyond Latin-1 that the standard PDF fonts carry (Windows code page 1252). */
const CP1252_EXTRAS = new Set('€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ');

/**
 * Text that the standard PDF fonts can show: every other character, controls included, becomes `\u{hex}`. No character
 * is lost silently, and no value can break the layout or hide behind a direction mark.
 */
export function printable(text: string): string {
  return Array.from(text, shown).join('');
}

function shown(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const isAscii = code >= 0x20 && code <= 0x7e;
  const isLatin1 = code >= 0xa1 && code <= 0xff && code !== 0xad;
  return isAscii || isLatin1 || CP1252_EXTRAS.has(character) ? character : `\\u{${code.toString(16)}}`;
}

/** At most `limit` characters, with the number of those left out. */
export function shortened(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit).toWellFormed()}… (+${text.length - limit} characters)`;
}
