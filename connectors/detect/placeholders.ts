/** Placeholders: text that will be replaced by a secret, or that shows the form of one. */

const WORDS: ReadonlySet<string> = new Set(
  (
    'password passwd passphrase pass pwd secret token key apikey api_key changeme change_me change-me user username ' +
    'none null nil undefined true false string example sample dummy todo tbd redacted hidden masked removed empty ' +
    'value required optional yourpassword mypassword'
  ).split(' '),
);
const PARTS =
  /change[_-]?(?:me|it)|example|placeholder|redacted|dummy|your(?:[_-]|pass|token|key)|xxxx|\*{4}|\.{4}|replace/;
/** Begins a variable, a template, a mark of another tool, or a mark that replaced a secret. */
const OPENING = /^(?:[$<{[%(&*]|#\{)/;

export function isPlaceholder(value: string): boolean {
  const lower = value.slice(0, 64).toLowerCase();
  return WORDS.has(lower) || OPENING.test(lower) || PARTS.test(lower) || isOneCharacter(lower);
}

function isOneCharacter(value: string): boolean {
  return value === value.charAt(0).repeat(value.length);
}
