/** What must be true of archive, record store and event log when one process has recovered and nothing is left to do. */
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { Facts } from '../../schemas/record.ts';
import { decodeBundle } from '../../store/chain/bundle-bytes.ts';
import { isHeaderSigned } from '../../store/chain/bundle-signature.ts';
import { openCheckpoint } from '../../store/chain/checkpoint.ts';
import { bundlePrefix, checkpointPrefix } from '../../store/chain/layout.ts';
import { chainStart } from '../../store/chain/merkle.ts';
import { parseVkey } from '../../store/chain/note.ts';
import { readParts } from '../../store/ledger/sealed-parts.ts';
import { toRows } from '../../store/records/record-row.ts';
import type { RecordRow } from '../../store/records/record-store.ts';
import { parseShape } from '../../store/verify/shape.ts';
import type { ArchiveModel } from './archive-model.ts';
import { dataKeys } from './data-keys.ts';
import type { Lane } from './lane.ts';
import { vkeyOf } from './machine.ts';
import type { TableModel } from './table-model.ts';

export interface Stores {
  readonly archive: ArchiveModel;
  readonly table: TableModel;
}

export async function checkEnd(stores: Stores, lane: Lane): Promise<void> {
  checkDeliveries(lane);
  const sealed = await rowsOfArchive(stores, lane);
  checkFacts(lane, sealed);
  checkRows(stores, lane, sealed);
  checkDeadLetters(lane, sealed);
  checkCheckpoints(stores, lane);
}

const keyOf = (log: string) => parseVkey(vkeyOf(log))!;

/** Every record that the event log ever had is sealed; that none is twice was seen when it was sealed. */
function checkDeliveries({ judge, partition }: Lane): void {
  const sealed = new Set([...judge.sealed, ...judge.lostWithLog]);
  const lost = [...judge.acknowledged].find((n) => !sealed.has(n));
  if (lost !== undefined) judge.find('lost', `record ${lost} was acknowledged and is not in the log`);
  const unsealed = [...judge.appended].find((n) => !sealed.has(n));
  if (unsealed !== undefined) judge.find('lost', `record ${unsealed} is in the event log and not in the log`);
  // A position that stays behind would be asked for again when the event log no longer holds it.
  const { nextOffset } = judge.head();
  if (nextOffset < partition.end())
    judge.find('not_recovered', `the log goes on at ${nextOffset}, the event log ends at ${partition.end()}`);
}

/** Each entry without an envelope is counted in one bundle. */
function checkDeadLetters({ judge, partition, log }: Lane, sealed: readonly RecordRow[]): void {
  const counted = sealed.reduce((sum, { dead_letter_count = 0 }) => sum + dead_letter_count, 0);
  const { least, most } = partition.deadLetters();
  if (counted < least) judge.find('lost', `${log} counts ${counted} dead letters, there were ${least}`);
  if (counted > most) judge.find('twice', `${log} counts ${counted} dead letters, there were ${most}`);
}

/** The rows that the archive's own bytes give, bundle by bundle, each chained to the one before. */
async function rowsOfArchive({ archive }: Stores, { log, judge }: Lane): Promise<RecordRow[]> {
  const rows: RecordRow[] = [];
  let chain = chainStart();
  for (const name of keysBelow(archive.objects, bundlePrefix(log))) {
    const { headerText, frameTexts, leafTexts } = decodeBundle(archive.objects.get(name)!);
    const header = JSON.parse(headerText) as BundleHeader;
    if (!isHeaderSigned(header, keyOf(log))) judge.find('damaged', `${name} is not signed`);
    if (header.start_index !== rows.length) judge.find('gap', `${name} does not begin at ${rows.length}`);
    const frames = frameTexts.map((text) => JSON.parse(text) as FrameRef);
    const get = (key: string) => Promise.resolve(archive.objects.get(key));
    const parts = await readParts({ archive: { get }, dataKeys }, { header, frames });
    rows.push(...toRows({ log, header, leafTexts, ...parts }, chain));
    chain = Buffer.from(header.chain_head, 'hex');
  }
  return rows;
}

function checkFacts({ judge, log }: Lane, sealed: readonly RecordRow[]): void {
  const invalid = sealed.find(({ facts }) => parseShape(Facts, facts) === undefined);
  if (invalid !== undefined)
    judge.find('invalid', `facts of leaf ${invalid.leaf_index} of ${log} are not of their schema`);
}

function checkRows({ table }: Stores, { log, judge }: Lane, sealed: readonly RecordRow[]): void {
  const ofLog = table.rows().filter((row) => row.log === log);
  const stored = ofLog.sort((a, b) => a.leaf_index - b.leaf_index);
  if (stored.length !== sealed.length)
    judge.find('gap', `${sealed.length} leaves are sealed and ${stored.length} rows stored`);
  for (const [index, row] of sealed.entries()) {
    const found = stored[index];
    const isSame =
      found?.leaf_index === index &&
      (
        [
          'id',
          'leaf',
          'leaf_hash',
          'chain_hash',
          'facts',
          'facts_secret',
          'content',
          'content_secret',
        ] as const
      ).every((column) => found[column] === row[column]);
    if (!isSame) judge.find('gap', `row ${index} is not what was sealed`);
  }
}

/** Each published checkpoint lies on the log, and the newest covers all of it. */
function checkCheckpoints({ archive }: Stores, { log, judge }: Lane): void {
  let newest = 0;
  for (const name of keysBelow(archive.objects, checkpointPrefix(log))) {
    const checkpoint = openCheckpoint(Buffer.from(archive.objects.get(name)!).toString(), keyOf(log));
    const step = judge.steps.find(({ treeSize }) => treeSize === checkpoint?.tree_size);
    if (checkpoint === undefined || step?.root !== checkpoint.root_hash)
      judge.find('fork', `${name} is not on the log`);
    newest = checkpoint?.tree_size ?? newest;
  }
  if (newest !== judge.sealed.length)
    judge.find('not_recovered', `${judge.sealed.length} leaves are sealed and ${newest} published`);
}

function keysBelow(objects: ReadonlyMap<string, Uint8Array>, prefix: string): string[] {
  return [...objects.keys()].filter((name) => name.startsWith(prefix)).sort();
}
