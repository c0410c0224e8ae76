import { createHash, timingSafeEqual } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { PipelineError } from '../../schemas/errors.ts';
import { HashHex } from '../../schemas/primitives.ts';
import type { Role, VerifyToken } from '../../schemas/principal.ts';
import { readSecretFile, writeSecretFile } from './secret-file.ts';

/** Shortest token that an operator may choose; `init` generates 32 random bytes. */
const MIN_TOKEN_LENGTH = 8;

const TokenFile = Type.Array(
  Type.Object({
    id: Type.String(),
    role: Type.Union([Type.Literal('collector'), Type.Literal('admin')]),
    sha256: HashHex,
  }),
);
export type TokenEntry = Static<typeof TokenFile>[number];

/** Only the hash is stored. Generated tokens are random and long, so a plain hash is enough. */
export function toTokenEntry(id: string, role: Role, token: string): TokenEntry {
  if (token.length < MIN_TOKEN_LENGTH) {
    throw new PipelineError(
      'CONFIG_INVALID',
      `the ${role} token is shorter than ${String(MIN_TOKEN_LENGTH)} characters`,
    );
  }
  return { id, role, sha256: digestOf(token).toString('hex') };
}

export async function writeTokens(path: string, entries: readonly TokenEntry[]): Promise<void> {
  await writeSecretFile(path, `${JSON.stringify(entries, null, 2)}\n`);
}

export async function readTokens(path: string): Promise<readonly TokenEntry[] | undefined> {
  const bytes = await readSecretFile(path);
  if (bytes === undefined) return undefined;
  try {
    return Value.Parse(TokenFile, JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new PipelineError('START_REFUSED', `token file ${path} does not read as written`, { cause });
  }
}

/** Compares digests of equal length with every entry, so that time reveals neither the token nor which entry matched. */
export function createTokenVerifier(entries: readonly TokenEntry[]): VerifyToken {
  const known = entries.map(({ id, role, sha256 }) => ({
    principal: { id, role },
    digest: Buffer.from(sha256, 'hex'),
  }));
  return (token) => {
    const digest = digestOf(token);
    const matches = known.filter((entry) => timingSafeEqual(entry.digest, digest));
    return matches[0]?.principal;
  };
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
