/** The keys of the log that a package is about. In: its genesis and the changes of key. Out: their history. */
import { BundleHeader, type LogGenesis } from '../../schemas/bundle.ts';
import { KEY_CHANGES_PATH, type PackageManifest } from '../../schemas/evidence-package.ts';
import { genesisDigest } from '../chain/genesis.ts';
import { judgeHeader, keysAfter, type KeyHistory } from '../chain/key-history.ts';
import { readTextFile, type PackageRun } from './package-files.ts';
import { parseCanonical } from './shape.ts';

/**
 * SPEC (evidence-package.md): each line is the header line of a bundle that changed the key, in the order of the log, below
 * the checkpoint; the key before signed it, and so did the next one. Follows them from the key of the genesis as far as they
 * hold, and reports the first that does not.
 */
export async function readKeyChanges(
  run: PackageRun,
  { origin, tree_size }: PackageManifest,
  { genesis, keys: first }: { readonly genesis: LogGenesis | undefined; readonly keys: KeyHistory },
): Promise<KeyHistory> {
  if (!run.container.files.has(KEY_CHANGES_PATH)) return first;
  const text = await readTextFile(run, KEY_CHANGES_PATH);
  const lines = text.endsWith('\n') ? text.slice(0, -1).split('\n') : [''];
  let keys = first;
  for (const [position, line] of lines.entries()) {
    const header = parseCanonical(BundleHeader, line);
    const problem = header && problemOf(header, { origin, tree_size, genesis, keys });
    if (header === undefined || problem !== undefined) {
      const name = `line ${String(position + 1)} of ${KEY_CHANGES_PATH}`;
      run.findings.fail('rotation_invalid', null, `${name} ${problem ?? 'is not the header of a bundle'}`);
      return keys;
    }
    keys = keysAfter(keys, header);
  }
  return keys;
}

interface ChangePlace extends Pick<PackageManifest, 'origin' | 'tree_size'> {
  readonly genesis: LogGenesis | undefined;
  readonly keys: KeyHistory;
}

function problemOf(
  header: BundleHeader,
  { origin, tree_size, genesis, keys }: ChangePlace,
): string | undefined {
  const { start_index, leaf_count, next_vkey } = header;
  if (next_vkey === undefined) return 'changes no key';
  if (header.origin !== origin) return `is of the log ${header.origin}`;
  if (header.tree_size !== start_index + leaf_count || header.tree_size > tree_size)
    return 'lies behind the checkpoint';
  if (genesis !== undefined && header.genesis_sha256 !== genesisDigest(genesis))
    return 'names another genesis';
  const { isSigned, problem } = judgeHeader(keys, header);
  return isSigned ? problem : 'was not signed by the key before it';
}
