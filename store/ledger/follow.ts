/**
 * Projections follow the log. In: its bundles, from the ledger that seals them or from the archive. Out: projections that
 * hold every leaf. The one invariant: a projection gets the bundles of a log in order, without a hole.
 */
import { PipelineError } from '../../schemas/errors.ts';
import { inParallel } from '../../schemas/in-parallel.ts';
import { toRows } from '../records/record-row.ts';
import type { BundleDraft } from './commit.ts';
import type { Head } from './head.ts';
import { bundleKeys, numbersAfter } from './numbered-keys.ts';
import type { LedgerOptions } from './options.ts';
import type { ProjectedBundle, ProjectionStage } from './projection.ts';
import { inWindows } from './replay-windows.ts';
import { findBundle } from './sealed-bundles.ts';
import { readParts } from './sealed-parts.ts';
import { chainAtLeaf, readSoundBundle } from './sound-bundle.ts';

/** Applies a bundle that was just sealed to the projections of one stage, side by side: none of them reads another. */
export async function applySealed(
  { log, projections }: Pick<LedgerOptions, 'log' | 'projections'>,
  stage: ProjectionStage,
  { key, head, ids, leafHashes, rows }: BundleDraft,
): Promise<void> {
  const bundle: ProjectedBundle = {
    log,
    key,
    start_index: head.treeSize - leafHashes.length,
    tree_size: head.treeSize,
    lock: head.lock,
    ids,
    leafHashes,
    rows: () => Promise.resolve(rows()),
  };
  const following = projections.filter((projection) => projection.stage === stage);
  await inParallel(following, following.length, (projection) => projection.apply([bundle]));
}

/** Sizes of the projections, in their order. */
export async function sizesOf({
  log,
  projections,
}: Pick<LedgerOptions, 'log' | 'projections'>): Promise<number[]> {
  const sizes: number[] = [];
  for (const projection of projections) sizes.push(await projection.size(log));
  return sizes;
}

/** Throws START_REFUSED where a projection holds leaves that the log does not have. */
export function checkSizes(
  { log, projections }: Pick<LedgerOptions, 'log' | 'projections'>,
  head: Head,
  sizes: readonly number[],
): void {
  for (const [position, { name }] of projections.entries()) {
    const size = sizes[position] ?? 0;
    if (size <= head.treeSize) continue;
    throw new PipelineError(
      'START_REFUSED',
      `the ${name} hold ${String(size)} leaves of ${log}, the archive only ${String(head.treeSize)}: the archive lacks leaves that were sealed. Restore its newest copy, and rebuild nothing before; see docs/runbook.md`,
    );
  }
}

/** Throws START_REFUSED where a projection does not hold the leaves of this log, as one of another deployment. */
export async function checkChains(
  options: LedgerOptions,
  { keys }: Head,
  sizes: readonly number[],
): Promise<void> {
  const { log, projections } = options;
  for (const [position, projection] of projections.entries()) {
    const last = (sizes[position] ?? 0) - 1;
    if (last < 0 || projection.chainAt === undefined) continue;
    const found = await projection.chainAt(log, last);
    if (found === undefined) {
      const detail = `the ${projection.name} have lost leaf ${String(last)} of ${log} since they were counted`;
      throw new PipelineError('STORE_UNAVAILABLE', detail);
    }
    if (found === (await chainAtLeaf({ ...options, keys }, last))) continue;
    throw new PipelineError(
      'START_REFUSED',
      `the ${projection.name} are not those of ${log}: leaf ${String(last)} has another chain value there. Keep a copy of both; see docs/runbook.md`,
    );
  }
}

/** Applies the bundles of the archive up to `head` to the projections that lack them, oldest first. */
export async function catchUp(options: LedgerOptions, head: Head, sizes: readonly number[]): Promise<void> {
  const behind = options.projections
    .map((projection, position) => ({ projection, size: sizes[position] ?? 0 }))
    .filter(({ size }) => size < head.treeSize);
  if (behind.length === 0) return;
  const from = Math.min(...behind.map(({ size }) => size));
  for await (const window of inWindows(bundlesFrom(options, from, head))) {
    for (const { projection, size } of behind) {
      const lacking = window.filter(({ tree_size }) => size < tree_size);
      if (lacking.length > 0) await projection.apply(lacking);
    }
    options.onReplay?.(window.at(-1)?.tree_size ?? head.treeSize, head.treeSize);
  }
}

/** Bundles of the archive from the one that holds the leaf at `index` up to the size `treeSize`. */
async function* bundlesFrom(
  options: LedgerOptions,
  index: number,
  { treeSize, keys }: Head,
): AsyncGenerator<ProjectedBundle> {
  const { archive, log } = options;
  const first = await findBundle(archive, log, index);
  if (first === undefined) return;
  let chain: Uint8Array | undefined;
  for await (const start of numbersAfter(archive, bundleKeys(log), first - 1)) {
    const sound = await readSoundBundle({ archive, log, keys }, start, chain);
    const { key, header, frames, leafTexts, leafHashes, chainBefore } = sound;
    chain = Buffer.from(header.chain_head, 'hex');
    const rows = async () => {
      const parts = await readParts(options, { header, frames });
      return toRows({ log, header, leafTexts, ...parts }, chainBefore);
    };
    const { tree_size, lock } = header;
    yield {
      ...{ log, key, start_index: start, tree_size, lock, leafHashes, rows },
      get ids() {
        return sound.ids;
      },
    };
    if (tree_size >= treeSize) return;
  }
}
