import type { GeneratedTokens } from '../app/deployment.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';

/** Tokens that were generated, with the warning that they are not shown again. */
export function tokenNotice({ admin, collector }: GeneratedTokens): string {
  const lines = [
    ...(admin === undefined ? [] : [`  admin token      ${admin}`]),
    ...(collector === undefined ? [] : [`  collector token  ${collector}`]),
  ];
  if (lines.length === 0) return '';
  return `\nShown once, only their hashes are kept:\n${lines.join('\n')}\n`;
}

/** The token that collectors send with. Throws USAGE_INVALID if none is set. */
export function requireCollectorToken({ collector_token: token }: Pick<Config, 'collector_token'>): string {
  if (token !== undefined) return token;
  throw new PipelineError(
    'USAGE_INVALID',
    'set AFFIDAVIT_COLLECTOR_TOKEN to a collector token of the server',
    { hint: '`affidavit init` prints one on its first run, `affidavit init --collector NAME` makes another' },
  );
}
