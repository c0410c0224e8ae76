/**
 * Opens a ZIP so that no two readers can see different files in it. In: a path. Out: its files, or a failure that
 * names what is ambiguous. SPEC section numbers are those of PKWARE APPNOTE.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInflateRaw, crc32 } from 'node:zlib';
import { open as openZip, parseExtraFields, type Entry, type LocalFileHeader, type ZipFile } from 'yauzl';
import type { Findings } from './report.ts';

export interface Container {
  /** Uncompressed size of each file by path; folders are not in it. */
  readonly files: ReadonlyMap<string, { readonly size: number }>;
  /** Rejects where the bytes do not inflate to exactly the size and CRC of the directory. */
  read(path: string): AsyncIterable<Uint8Array>;
  close(): void;
}

/** The writer's comment at the end: the SHA-256 of all bytes before the two-byte comment length. */
const SEAL = /^affidavit-sha256:([0-9a-f]{64})$/;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED_FLAG = 0x0001;
const DESCRIPTOR_FLAG = 0x0008;
/** SPEC 4.4.1.4: the real value stands in a zip64 field. */
const ZIP64_16 = 0xffff;
const ZIP64_32 = 0xffffffff;
const CENTRAL_HEADER_BYTES = 46;
const END_RECORD_BYTES = 22;
/** SPEC 4.6.9: a second name of a file, which some readers prefer and others ignore. */
const UNICODE_PATH_FIELD = 0x7075;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_RECORD_BYTES = 56;

interface Located {
  readonly entry: Entry;
  readonly local: LocalFileHeader;
}

/** Undefined where the file is not a ZIP, or an ambiguous one; then a failure was reported. */
export async function openContainer(path: string, findings: Findings): Promise<Container | undefined> {
  let zip: ZipFile | undefined;
  try {
    zip = await openZipFile(path);
    const isSealed = await checkSeal(path, zip);
    // The checks go on after this failure, so that the file with the changed byte is named as well.
    if (!isSealed)
      findings.fail('container_damaged', null, 'the bytes of the ZIP do not match the digest in its comment');
    const located = await locateEntries(zip);
    await checkAccounting(path, zip, located);
    const files = new Map(located.filter(isFile).map((each) => [each.entry.fileName, each]));
    return toContainer(zip, files);
  } catch (error) {
    zip?.close();
    findings.fail(
      'container_damaged',
      null,
      error instanceof Error ? error.message : 'the file does not read as a ZIP',
    );
    return undefined;
  }
}

function toContainer(zip: ZipFile, files: ReadonlyMap<string, Located>): Container {
  return {
    files: new Map([...files].map(([path, { entry }]) => [path, { size: entry.uncompressedSize }])),
    async *read(path) {
      const entry = files.get(path)?.entry;
      if (entry === undefined) throw refusal(`${path} is not there`);
      yield* inflated(zip, entry);
    },
    close: () => {
      zip.close();
    },
  };
}

function isFile({ entry }: Located): boolean {
  return !entry.fileName.endsWith('/');
}

function openZipFile(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    openZip(path, { lazyEntries: true, autoClose: false, strictFileNames: true }, (error, zip) => {
      if (error === null) resolve(zip);
      else reject(error);
    });
  });
}

/** Any tool may pack the files again without a comment. A comment must be the seal and match. */
async function checkSeal(path: string, { comment, fileSize }: ZipFile): Promise<boolean> {
  if (comment === '') return true;
  const sealed = SEAL.exec(comment)?.[1];
  if (sealed === undefined) throw refusal('the ZIP comment is not the seal of the writer');
  const hash = createHash('sha256');
  const end = fileSize - comment.length - 2 - 1;
  for await (const chunk of createReadStream(path, { end })) hash.update(chunk as Buffer);
  return hash.digest('hex') === sealed;
}

async function locateEntries(zip: ZipFile): Promise<Located[]> {
  const located: Located[] = [];
  const names = new Set<string>();
  for await (const entry of zip.eachEntry()) {
    const local = await zip.readLocalFileHeaderPromise(entry);
    if (names.has(entry.fileName)) throw refusal(`${entry.fileName} is in the ZIP twice`);
    names.add(entry.fileName);
    checkEntry(entry, local);
    located.push({ entry, local });
  }
  return located.sort((left, right) => offsetOf(left) - offsetOf(right));
}

/** Refuses entries that some ZIP readers cannot read, or read differently. */
function checkEntry(entry: Entry, local: LocalFileHeader): void {
  const { fileName, generalPurposeBitFlag: flags, compressionMethod } = entry;
  if ((flags & ENCRYPTED_FLAG) !== 0) throw refusal(`${fileName} is encrypted`);
  if (compressionMethod !== STORED && compressionMethod !== DEFLATED) {
    throw refusal(`${fileName} is packed in an unknown way`);
  }
  if (fileName.endsWith('/') && (entry.uncompressedSize !== 0 || entry.crc32 !== 0)) {
    throw refusal(`the folder ${fileName} holds bytes`);
  }
  if (hasSecondName(entry, local)) throw refusal(`${fileName} has a second name`);
  if (!isSameFile(entry, local) || !isSameData(entry, local)) {
    throw refusal(`${fileName} is described in two different ways`);
  }
}

/** A name that some readers take from an extra field, or that they decode in different ways. */
function hasSecondName(entry: Entry, local: LocalFileHeader): boolean {
  const fields = [...entry.extraFields, ...parseExtraFields(local.extraField)];
  const isPlain = Buffer.from(entry.fileName).equals(entry.fileNameRaw);
  return !isPlain || fields.some(({ id }) => id === UNICODE_PATH_FIELD);
}

/** SPEC 4.3.7, 4.3.12: the header before the data and the one in the central directory describe the same file. */
function isSameFile(entry: Entry, local: LocalFileHeader): boolean {
  const same = ['generalPurposeBitFlag', 'compressionMethod', 'lastModFileDate', 'lastModFileTime'] as const;
  return local.fileName.equals(entry.fileNameRaw) && same.every((member) => local[member] === entry[member]);
}

/** SPEC 4.4.4 bit 3: CRC and sizes may be zero in the local header; then a descriptor behind the data has them. */
function isSameData(entry: Entry, local: LocalFileHeader): boolean {
  const mayBeZero = (entry.generalPurposeBitFlag & DESCRIPTOR_FLAG) !== 0;
  const agrees = (here: number, there: number) => here === there || (mayBeZero && here === 0);
  const sizes = ['compressedSize', 'uncompressedSize'] as const;
  return (
    agrees(local.crc32, entry.crc32) &&
    sizes.every((size) => agrees(local[size], entry[size]) || local[size] === ZIP64_32)
  );
}

/** Every byte of the file belongs to exactly one entry, the central directory or the end record. */
async function checkAccounting(path: string, zip: ZipFile, located: readonly Located[]): Promise<void> {
  const tail = await readTail(path, zip);
  let expected = 0;
  for (const [position, each] of located.entries()) {
    if (offsetOf(each) !== expected)
      throw refusal(`there are bytes of no file before ${each.entry.fileName}`);
    const next = located[position + 1];
    expected = next === undefined ? tail.directoryStart : offsetOf(next);
    await checkDescriptor(path, each, expected);
  }
  const directoryBytes = located.reduce((sum, { entry }) => sum + centralBytes(entry), 0);
  if (located.length === 0 || tail.directoryStart + directoryBytes !== tail.directoryEnd) {
    throw refusal('there are bytes of no file around the central directory');
  }
}

/** SPEC 4.3.9: CRC and both sizes, 4 or (zip64) 8 bytes each, with or without a signature in front. */
async function checkDescriptor(path: string, { entry, local }: Located, end: number): Promise<void> {
  const dataEnd = local.fileDataStart + entry.compressedSize;
  const length = end - dataEnd;
  const hasDescriptor = (entry.generalPurposeBitFlag & DESCRIPTOR_FLAG) !== 0;
  if (length === 0 && !hasDescriptor) return;
  const allowed = descriptorForms(entry).filter((form) => form.length === length);
  const bytes = hasDescriptor && allowed.length > 0 ? await readAt(path, dataEnd, length) : undefined;
  if (!allowed.some((form) => bytes?.equals(form)))
    throw refusal(`there are bytes of no file behind ${entry.fileName}`);
}

function descriptorForms({ crc32: crc, compressedSize, uncompressedSize }: Entry): Buffer[] {
  const signature = Buffer.from('PK\x07\x08', 'latin1');
  const plain = Buffer.alloc(12);
  plain.writeUInt32LE(crc, 0);
  plain.writeUInt32LE(compressedSize % 2 ** 32, 4);
  plain.writeUInt32LE(uncompressedSize % 2 ** 32, 8);
  const large = Buffer.alloc(20);
  large.writeUInt32LE(crc, 0);
  large.writeBigUInt64LE(BigInt(compressedSize), 4);
  large.writeBigUInt64LE(BigInt(uncompressedSize), 12);
  return [plain, large, Buffer.concat([signature, plain]), Buffer.concat([signature, large])];
}

/** SPEC 4.3.14 to 4.3.16: where the central directory lies, by the end record and, if there, its zip64 twin. */
async function readTail(path: string, { comment, fileSize, entryCount }: ZipFile) {
  const endStart = fileSize - comment.length - END_RECORD_BYTES;
  const end = await readAt(path, endStart, END_RECORD_BYTES);
  const named = { entries: end.readUInt16LE(10), size: end.readUInt32LE(12), offset: end.readUInt32LE(16) };
  const locator =
    endStart < ZIP64_LOCATOR_BYTES
      ? undefined
      : await readAt(path, endStart - ZIP64_LOCATOR_BYTES, ZIP64_LOCATOR_BYTES);
  if (locator?.readUInt32LE(0) !== 0x07064b50) {
    if (named.entries !== entryCount || named.offset + named.size !== endStart)
      throw refusal('the end record contradicts the file');
    return { directoryStart: named.offset, directoryEnd: endStart };
  }
  const recordStart = endStart - ZIP64_LOCATOR_BYTES - ZIP64_END_RECORD_BYTES;
  const record = await readAt(path, Math.max(recordStart, 0), ZIP64_END_RECORD_BYTES);
  const offset = Number(record.readBigUInt64LE(48));
  const agrees =
    locator.readBigUInt64LE(8) === BigInt(recordStart) &&
    (named.entries === entryCount || named.entries === ZIP64_16) &&
    (named.offset === offset || named.offset === ZIP64_32) &&
    offset + Number(record.readBigUInt64LE(40)) === recordStart;
  if (!agrees) throw refusal('the two end records contradict each other');
  return { directoryStart: offset, directoryEnd: recordStart };
}

async function* inflated(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  const raw = await zip.openReadStreamPromise(entry, { decodeFileData: false });
  const inflate = entry.compressionMethod === DEFLATED ? createInflateRaw() : undefined;
  const source =
    inflate === undefined ? raw : raw.on('error', (error) => inflate.destroy(error)).pipe(inflate);
  let crc = 0;
  let size = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    crc = crc32(chunk, crc);
    size += chunk.length;
    if (size > entry.uncompressedSize) throw refusal(`${entry.fileName} inflates beyond its size`);
    yield chunk;
  }
  // Bytes behind the end of the deflate stream would be read by some readers and not by others.
  const consumed = inflate?.bytesWritten ?? entry.compressedSize;
  if (size !== entry.uncompressedSize || crc !== entry.crc32 || consumed !== entry.compressedSize) {
    throw refusal(`${entry.fileName} is not what the directory says`);
  }
}

function offsetOf({ entry }: Located): number {
  return entry.relativeOffsetOfLocalHeader;
}

function centralBytes({ fileNameLength, extraFieldLength, fileCommentLength }: Entry): number {
  return CENTRAL_HEADER_BYTES + fileNameLength + extraFieldLength + fileCommentLength;
}

async function readAt(path: string, position: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
    if (bytesRead !== length) throw refusal('the ZIP is cut off');
    return buffer;
  } finally {
    await file.close();
  }
}

function refusal(text: string): RangeError {
  return new RangeError(text);
}
