/** Log files in a folder and the folders below it. Links are not followed. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { PipelineError } from '../../../schemas/errors.ts';
import { byName, isHidden, type GatewayLogFile, type GatewayLogs } from '../gateway-logs.ts';

/** Read from the disk at once. */
const READ_BYTES = 256 * 1024;

export function openFolderOfLogs(folder: string): GatewayLogs {
  return {
    list: async () => {
      const names = await namesBelow(folder);
      const found = await Promise.all(names.map((name) => describe(folder, name)));
      return found.filter((file) => file !== undefined).sort(byName);
    },
    read: (file) => readFile(folder, file),
    close: () => undefined,
  };
}

async function namesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).replaceAll(sep, '/'))
      .filter((name) => !isHidden(name));
  } catch (cause) {
    throw new PipelineError('STORE_UNAVAILABLE', `${folder} cannot be listed`, { cause });
  }
}

/** Undefined for a file that is gone since it was listed. */
async function describe(folder: string, name: string): Promise<GatewayLogFile | undefined> {
  const found = await stat(join(folder, name), { bigint: true }).catch(() => undefined);
  if (found === undefined) return undefined;
  const { size, mtimeNs, ctimeNs, ino } = found;
  const version = [size, mtimeNs, ctimeNs, ino].join('-');
  return { name, sizeBytes: Number(size), version, mayGrow: true };
}

async function* readFile(folder: string, { name, sizeBytes }: GatewayLogFile): AsyncGenerator<Buffer> {
  if (sizeBytes === 0) return;
  const options = { end: sizeBytes - 1, highWaterMark: READ_BYTES };
  let read = 0;
  try {
    for await (const piece of createReadStream(join(folder, name), options) as AsyncIterable<Buffer>) {
      read += piece.length;
      yield piece;
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const known = code === 'ENOENT' ? 'NOT_FOUND' : code === undefined ? undefined : 'AUTH_FORBIDDEN';
    if (known === undefined) throw cause;
    throw new PipelineError(known, `${name} cannot be read: ${code ?? ''}`, { cause });
  }
  if (read < sizeBytes) throw new PipelineError('NOT_FOUND', `${name} became shorter while it was read`);
}
