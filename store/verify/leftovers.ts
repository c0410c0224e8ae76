/** Objects and locks of a log that no bundle names, judged when all bundles were read. */
import { parseKey, type ParsedKey } from '../chain/layout.ts';
import { readObject } from './archive-reader.ts';
import type { LogEnd, LogRun } from './log-run.ts';

export async function checkLeftovers(run: LogRun, end: LogEnd): Promise<void> {
  const { reader, listing, findings } = run;
  for (const key of listing.payloads) {
    await readObject(reader, key, null, findings);
    judgeLeftover(run, end, key, parseKey(key));
  }
  for await (const { name, parsed } of reader.orphanLocks(listing.log, findings)) {
    judgeLeftover(run, end, name, parsed);
  }
}

/**
 * A writer that dies leaves payloads that no bundle names, and locks without objects, at the start index it was about to
 * seal. Beyond that index nothing can lie, unless the archive grew while it was read.
 */
function judgeLeftover(
  { listing, findings }: LogRun,
  end: LogEnd,
  name: string,
  parsed: ParsedKey | undefined,
): void {
  const position = parsed?.position ?? 0;
  const hasGrown =
    listing.bundles.some((start) => start >= end.size) || listing.checkpoints.some((size) => size > end.size);
  if (position === end.size || listing.early.bundles.includes(position)) {
    findings.notice('leftover', null, `${name} was left by an interrupted write`);
  } else if (position < end.size) {
    findings.fail('file_unexpected', null, name);
  } else if (!hasGrown) {
    findings.fail('bundle_missing', end.size, `${name} was written after leaves that are not there`);
  }
}
