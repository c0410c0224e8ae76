import { dirname } from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { PipelineError } from '../../schemas/errors.ts';
import { HashHex, SafeCount } from '../../schemas/primitives.ts';
import type { HeadGuard } from './signer.ts';
import { flushFoundFile, makeSecretFolder, readSecretFile, replaceSecretFile } from './secret-file.ts';

const Heads = Type.Record(Type.String(), Type.Object({ tree_size: SafeCount, root_hash: HashHex }));

/**
 * HeadGuard in one small file beside the keys, apart from archive and record store, so that a start with an older copy of
 * the archive finds the heads that were signed since.
 */
export async function openFileHeadGuard(path: string): Promise<HeadGuard> {
  // Made here and never later: a folder that is gone by then was moved away, and its place stays empty.
  await makeSecretFolder(dirname(path));
  // Set by the first load or write that finds heads; from then on a missing file is a lost one.
  let hasHeads = false;
  const load = async (): Promise<Static<typeof Heads>> => {
    const bytes = await readSecretFile(path);
    if (bytes === undefined && hasHeads) {
      throw new PipelineError('SIGNER_UNAVAILABLE', `${path} is gone; bring it back or stop this process`);
    }
    hasHeads ||= bytes !== undefined;
    return bytes === undefined ? {} : parseHeads(bytes, path);
  };
  return {
    async latest(origin) {
      return (await load())[origin];
    },
    async advance(origin, head) {
      const heads = await load();
      const known = heads[origin];
      if (known !== undefined && head.tree_size < known.tree_size) {
        throw new PipelineError(
          'SIGNER_REFUSED',
          `asked to sign size ${String(head.tree_size)} of ${origin} after size ${String(known.tree_size)}`,
        );
      }
      if (known?.tree_size === head.tree_size) {
        if (known.root_hash === head.root_hash) {
          await remembering(path, () => flushFoundFile(path));
          return;
        }
        throw new PipelineError(
          'SIGNER_REFUSED',
          `asked to sign a second root at size ${String(head.tree_size)} of ${origin}`,
        );
      }
      const bytes = `${JSON.stringify({ ...heads, [origin]: head })}\n`;
      await remembering(path, () => replaceSecretFile(path, bytes));
      hasHeads = true;
    },
  };
}

/** A full or failing disk may recover: until then the old heads stay in force, and nothing is signed. */
async function remembering(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw new PipelineError('SIGNER_UNAVAILABLE', `remembering a head in ${path}`, { cause });
  }
}

function parseHeads(bytes: Buffer, path: string): Static<typeof Heads> {
  try {
    return Value.Parse(Heads, JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new PipelineError('START_REFUSED', `head guard ${path} does not read as written`, { cause });
  }
}
