import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

/** A file of the package and where it lies in the working folder. */
export interface ZipEntry {
  readonly path: string;
  readonly file: string;
}

/** Entries up to this size are compressed in memory, so that their headers hold sizes and CRC; larger ones are streamed. */
const BUFFERED_ENTRY_BYTES = 32 * 1024 * 1024;
/** PKWARE APPNOTE 4.3.16: end-of-central-directory record without comment; its last two bytes are the comment length. */
const EOCD_BYTES = 22;
const COMMENT_LENGTH_BYTES = 2;
/** The first instant a ZIP can express, in local time: the same entries give the same bytes in every time zone. */
const FIXED_MTIME = new Date(1980, 0, 1);
const FIXED_MODE = 0o100444;

/** Prefix of the archive comment; 64 hex digits follow. */
export const ZIP_COMMENT_PREFIX = 'affidavit-sha256:';

/**
 * Writes the entries, sorted by path, as one ZIP and seals the container (see `sealZip`). The same entries give the
 * same bytes. Durable when it resolves.
 */
export async function writeZip(target: string, entries: readonly ZipEntry[]): Promise<void> {
  const zip = new ZipFile();
  const failure = new AbortController();
  zip.once('error', (error) => failure.abort(error));
  const { signal } = failure;
  const written = pipeline(zip.outputStream, createWriteStream(target, { flags: 'wx' }), { signal });
  await Promise.all([written, addEntries(zip, entries)]);
  await sealZip(target);
}

async function addEntries(zip: ZipFile, entries: readonly ZipEntry[]): Promise<void> {
  const ordered = [...entries].sort((left, right) => (left.path < right.path ? -1 : 1));
  for (const entry of ordered) await addEntry(zip, entry);
  zip.end();
}

async function addEntry(zip: ZipFile, entry: ZipEntry): Promise<void> {
  const options = { mtime: FIXED_MTIME, mode: FIXED_MODE, forceDosTimestamp: true };
  const { size } = await stat(entry.file);
  if (size > BUFFERED_ENTRY_BYTES) zip.addFile(entry.file, entry.path, options);
  else zip.addBuffer(await readFile(entry.file), entry.path, options);
}

/**
 * Appends the archive comment `affidavit-sha256:<hex>`: the SHA-256 of all bytes before the two-byte comment length.
 * The manifest covers the files, and the comment covers the container around them: no byte can change unnoticed.
 */
export async function sealZip(file: string): Promise<void> {
  const { size } = await stat(file);
  const covered = size - COMMENT_LENGTH_BYTES;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { end: covered - 1 })) hash.update(chunk as Buffer);
  const comment = Buffer.from(`${ZIP_COMMENT_PREFIX}${hash.digest('hex')}`, 'latin1');
  const tail = Buffer.alloc(COMMENT_LENGTH_BYTES + comment.length);
  tail.writeUInt16LE(comment.length, 0);
  comment.copy(tail, COMMENT_LENGTH_BYTES);
  const handle = await open(file, 'r+');
  try {
    await refuseUnlessBare(handle, size);
    await handle.write(tail, 0, tail.length, covered);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function refuseUnlessBare(handle: Awaited<ReturnType<typeof open>>, size: number): Promise<void> {
  const eocd = Buffer.alloc(EOCD_BYTES);
  await handle.read(eocd, 0, EOCD_BYTES, size - EOCD_BYTES);
  const isBare = eocd.readUInt32LE(0) === 0x06054b50 && eocd.readUInt16LE(EOCD_BYTES - 2) === 0;
  if (!isBare) throw new RangeError('ZIP does not end in a record without comment');
}
