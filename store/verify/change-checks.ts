/** The checks of the one record in a bundle that changes the key of its log, or begins a log that continues another one. */
import type { Leaf } from '../../schemas/leaf.ts';
import type { BundleHeader, PartKind } from '../../schemas/bundle.ts';
import { termOfBundle } from '../chain/key-history.ts';
import { factsOfContinuation } from '../chain/continuation.ts';
import { bundleKey } from '../chain/layout.ts';
import type { LogRun } from './log-run.ts';

/** The record type of a change of key. */
const KEY_ROTATED = 'key.rotated';
/** The record type of the first record of a log that continues another one. */
const GENERATION_BEGUN = 'generation.begun';

/** Whether the one record of a bundle says what its header, or the genesis, says too. The head log holds no records. */
export function holdsStatement(run: LogRun, header: BundleHeader): boolean {
  return run.onEntry === undefined && (header.next_vkey !== undefined || isBeginning(run, header));
}

/** Whether this is the first bundle of a log of records that continues another one. */
function isBeginning({ found }: LogRun, { start_index }: BundleHeader): boolean {
  return start_index === 0 && found?.genesis.continues !== undefined;
}

/** SPEC (archive.md): the first bundle of such a log holds one leaf, of type `generation.begun`, made by the program. */
export function checkFirstLeaf(run: LogRun, header: BundleHeader, leaf: Leaf | undefined): void {
  if (run.onEntry !== undefined || !isBeginning(run, header)) return;
  const isRight = leaf?.type === GENERATION_BEGUN && leaf.source === 'affidavit';
  if (isRight && header.leaf_count === 1) return;
  const detail = `${bundleKey(run.listing.log, 0)} is the first of a log that continues another one, and holds not one ${GENERATION_BEGUN} alone`;
  run.findings.fail('continuation_invalid', 0, detail);
}

/** SPEC (archive.md): the leaf of a bundle with `next_vkey` is of type `key.rotated`, made by the program itself. */
export function checkChangeLeaf(run: LogRun, header: BundleHeader, leaf: Leaf | undefined): void {
  // The head log holds entries, and its header alone says that the key changes.
  if (header.next_vkey === undefined || run.onEntry !== undefined) return;
  if (leaf?.type === KEY_ROTATED && leaf.source === 'affidavit') return;
  const name = bundleKey(run.listing.log, header.start_index);
  run.findings.fail(
    'rotation_invalid',
    header.start_index,
    `${name} changes the key and holds no ${KEY_ROTATED}`,
  );
}

/**
 * SPEC (archive.md): the facts of that record name what the genesis says of the log before, or the keys that the header names
 * and the one that signed it. Undefined for every other bundle. The lines that it is called with are the parts that leaves
 * commit to.
 */
export function statedFacts(
  run: LogRun,
  header: BundleHeader,
): ((kind: PartKind, line: Buffer) => void) | undefined {
  const { continues } = run.found?.genesis ?? {};
  if (continues === undefined || !isBeginning(run, header)) return changeFacts(run, header);
  const stated = factsOfContinuation(continues);
  return (kind, line) => {
    if (kind !== 'facts' || namesAll(line, stated)) return;
    const detail = `${bundleKey(run.listing.log, 0)} begins with a record that says something else of the log before than the genesis`;
    run.findings.fail('continuation_invalid', 0, detail);
  };
}

function changeFacts(
  run: LogRun,
  { start_index, next_vkey, next_package_key }: BundleHeader,
): ((kind: PartKind, line: Buffer) => void) | undefined {
  const keys = run.keys.known();
  if (next_vkey === undefined || keys === undefined) return undefined;
  const { vkey } = termOfBundle(keys, start_index);
  const named = { old_vkey: vkey, new_vkey: next_vkey, new_package_key: next_package_key };
  return (kind, line) => {
    if (kind !== 'facts' || namesAll(line, named)) return;
    const name = bundleKey(run.listing.log, start_index);
    const detail = `${name} changes the key from ${vkey} to ${next_vkey}, and its record names other keys`;
    run.findings.fail('rotation_invalid', start_index, detail);
  };
}

function namesAll(line: Buffer, named: Readonly<Record<string, string | number | undefined>>): boolean {
  const { part } = JSON.parse(line.toString('utf8')) as { readonly part: Readonly<Record<string, unknown>> };
  return Object.entries(named).every(([name, value]) => part[name] === value);
}
