/** The checks of the one record in a bundle that changes the key of its log. */
import type { Leaf } from '../../schemas/leaf.ts';
import type { BundleHeader, PartKind } from '../../schemas/bundle.ts';
import { termOfBundle } from '../chain/key-history.ts';
import { bundleKey } from '../chain/layout.ts';
import type { LogRun } from './log-run.ts';

/** The record type of a change of key. */
const KEY_ROTATED = 'key.rotated';

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
 * SPEC (archive.md): the facts of that record name the keys that the header names, and the one that signed it. Undefined for every other bundle. The lines that
 * it is called with are the parts that leaves commit to.
 */
export function changeFacts(
  run: LogRun,
  { start_index, next_vkey, next_package_key }: BundleHeader,
): ((kind: PartKind, line: Buffer) => void) | undefined {
  const keys = run.keys.known();
  if (next_vkey === undefined || keys === undefined) return undefined;
  const { vkey } = termOfBundle(keys, start_index);
  const named = { old_vkey: vkey, new_vkey: next_vkey, new_package_key: next_package_key };
  return (kind, line) => {
    if (kind !== 'facts' || namesKeys(line, named)) return;
    const name = bundleKey(run.listing.log, start_index);
    const detail = `${name} changes the key from ${vkey} to ${next_vkey}, and its record names other keys`;
    run.findings.fail('rotation_invalid', start_index, detail);
  };
}

function namesKeys(line: Buffer, named: Readonly<Record<string, string | undefined>>): boolean {
  const { part } = JSON.parse(line.toString('utf8')) as { readonly part: Readonly<Record<string, unknown>> };
  return Object.entries(named).every(([name, key]) => part[name] === key);
}
