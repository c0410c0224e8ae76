import { sha256Hex } from '../../store/chain/leaf.ts';
import { parseVkey } from '../../store/chain/note.ts';
import type { ReportInput } from './report-input.ts';
import { newPage, type Sheet, write, writeItem, writeMono } from './pdf-sheet.ts';
import { writeTable } from './pdf-table.ts';

/** Last pages: the checkpoint of the package, and how to check it without trusting its maker. */
export function writeIntegrity(sheet: Sheet, input: ReportInput): void {
  newPage(sheet);
  write(sheet, 'h1', 'Integrity and verification');
  write(
    sheet,
    'body',
    'Every figure of this package refers to one checkpoint: a signed statement of the size and root hash of the Merkle tree (RFC 6962) over all sealed records. Before anything was drawn, each row of the record store under the checkpoint was compared with what its leaf commits to, and the leaves were hashed up to the signed root.',
  );
  writeTable(
    sheet,
    [
      { title: 'What', share: 26 },
      { title: 'Value', share: 74, mono: true },
    ],
    [
      ['Origin', input.origin],
      ['Tree size', String(input.tree_size)],
      ['Root hash (hex)', input.root_hash],
      ['Verifier key', input.vkey],
      ['SHA-256 of the public key', keyFingerprint(input.vkey)],
      ['Records in this package', String(input.record_count)],
      ['Stand-alone proofs', String(input.proof_count)],
      ['Sample (leaf indexes)', input.sample.join(' ')],
      ['SHA-256 of results.json', input.results_sha256],
    ],
  );
  write(sheet, 'h2', 'The signed checkpoint');
  writeMono(sheet, input.checkpoint_note);
  writeSampling(sheet);
  writeInstructions(sheet);
}

function writeSampling(sheet: Sheet): void {
  write(sheet, 'h2', 'How the sample was drawn');
  write(
    sheet,
    'body',
    'For each record in records.jsonl take SHA-256 over the 32 bytes of the root hash followed by the 32 bytes of its leaf hash, order the results as hex, and take the first 25. The root hash fixes the order, and nobody knows it before the last record is sealed. Each record of the sample and of every exception has a separate file below proofs/.',
  );
}

function writeInstructions(sheet: Sheet): void {
  write(sheet, 'h2', 'How to check it offline');
  write(sheet, 'body', 'With the tool that came with the log, on any machine, without network or service:');
  writeMono(
    sheet,
    [
      `affidavit verify evidence-package.zip --key '<verifier key from the operator>'`,
      'affidavit verify evidence-package.zip --json',
    ].join('\n'),
  );
  write(
    sheet,
    'body',
    'Compare the verifier key above with the one that you got from the operator through another channel, at another time. A key that came only with the package proves only that the package agrees with itself.',
  );
  write(sheet, 'body', 'With independent tools alone:');
  writeItem(sheet, 'manifest.json lists the SHA-256 of every file: sha256sum, jq and a loop are enough.');
  writeItem(
    sheet,
    'manifest.note and checkpoint are C2SP signed notes with Ed25519 keys: openssl pkeyutl, or golang.org/x/mod/sumdb/note.',
  );
  writeItem(
    sheet,
    'Files below proofs/ are C2SP tlog-proof texts: any RFC 6962 library, for instance golang.org/x/mod/sumdb/tlog, or the Merkle and checkpoint checks of sigstore.',
  );
  writeItem(sheet, 'README.txt and docs/formats/evidence-package.md spell out the commands.');
}

function keyFingerprint(vkey: string): string {
  const key = parseVkey(vkey);
  return key === undefined ? 'not an Ed25519 verifier key' : sha256Hex(key.publicKey);
}
