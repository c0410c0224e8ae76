/** Master keys in files of a folder: `<id>`, mode 0600, 32 random bytes as base64url and a newline. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../../../schemas/errors.ts';
import { createSecretFile } from '../../keys/secret-file.ts';
import { MASTER_KEY_BYTES, masterKeyOf, type MasterKeys } from '../master-key.ts';
import { ignoreMissing, readPrivateFile, requirePrivateFolder, translated } from './private-file.ts';

export interface FileMasterKeysOptions {
  /** Made by `create` if missing. */
  readonly dir: string;
  readonly randomBytes: (count: number) => Buffer;
}

/** As MasterKeys. The folder is not the one of the key store: who has both opens everything. */
export function openFileMasterKeys({ dir, randomBytes }: FileMasterKeysOptions): MasterKeys {
  return {
    create: () =>
      translated('making a master key', async () => {
        const bytes = randomBytes(MASTER_KEY_BYTES);
        const key = masterKeyOf(bytes, randomBytes);
        await createSecretFile(join(dir, key.id), Buffer.from(`${bytes.toString('base64url')}\n`));
        bytes.fill(0);
        await requirePrivateFolder(dir);
        return key;
      }),
    find: (id) =>
      translated('reading a master key', async () => {
        if ((await readdir(dir).catch(ignoreMissing)) === undefined) return undefined;
        await requirePrivateFolder(dir);
        const path = join(dir, id);
        const text = (await readPrivateFile(path))?.toString('latin1');
        if (text === undefined) return undefined;
        const bytes = Buffer.from(text.trimEnd(), 'base64url');
        const isWhole = bytes.length === MASTER_KEY_BYTES && bytes.toString('base64url') === text.trimEnd();
        const key = isWhole ? masterKeyOf(bytes, randomBytes) : undefined;
        bytes.fill(0);
        if (key?.id === id) return key;
        throw new PipelineError('KEY_STORE_DAMAGED', `${path} is not the master key of that name`, {
          place: path,
          hint: 'bring the file back from the backup of the master keys',
        });
      }),
  };
}
