/** A file that is one JSON document, an array of objects or an object over several lines → one request. */
import { deliverBody } from './items.ts';
import { leave, type FileEnd, type OpenFile } from './open-file.ts';
import { createPrefixDigest } from './plain-text.ts';

/** Undefined if it is larger than the receivers take. */
export async function readDocument({ run, text }: OpenFile): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of text()) {
    pieces.push(piece);
    size += piece.length;
    if (size > run.maxBodyBytes) return undefined;
  }
  return Buffer.concat(pieces);
}

/** A document is sent whole and unchanged. If an array grows, all its objects are sent again; the sealed ones are recognised. */
export async function deliverDocument(opened: OpenFile, document: Buffer | undefined): Promise<FileEnd> {
  const { run, file, start, totals, isWhole } = opened;
  const { name, version } = file;
  if (document === undefined) return leave(opened, 'document_too_large');
  if (!isWhole && !isJson(document)) return leave(opened, 'document_unfinished');
  if (start.bytes !== document.length) {
    const bytes = new Uint8Array(document);
    const answer = await deliverBody({ ...run, counts: totals }, { contentType: 'application/json', bytes });
    if (answer.kind === 'stopped') return 'stopped';
    if (answer.kind === 'refused') {
      return leave(opened, answer.status === 413 ? 'document_too_large' : 'document_refused');
    }
    run.onProgress(totals);
  }
  const digest = createPrefixDigest();
  digest.add(document);
  const mark = digest.markAt(document.length);
  await run.states.note({ name, version, ...mark, settled: true }, { file: name, bytes: document.length });
  return 'done';
}

function isJson(document: Buffer): boolean {
  try {
    JSON.parse(document.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}
