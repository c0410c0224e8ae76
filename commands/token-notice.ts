import type { GeneratedTokens } from '../app/deployment.ts';

/** Tokens that were generated, with the warning that they are not shown again. */
export function tokenNotice({ admin, collector }: GeneratedTokens): string {
  const lines = [
    ...(admin === undefined ? [] : [`  admin token      ${admin}`]),
    ...(collector === undefined ? [] : [`  collector token  ${collector}`]),
  ];
  if (lines.length === 0) return '';
  return `\nShown once, only their hashes are kept:\n${lines.join('\n')}\n`;
}
