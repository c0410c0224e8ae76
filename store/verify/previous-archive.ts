/**
 * The archive of the generation before, held against the logs that continue it. In: a reader of that archive. Out: failures
 * where it does not hold exactly the trusted leaves, and a notice of the leaves behind them.
 */
import type { ContinuingLog } from '../chain/continuation.ts';
import { genesisDigest } from '../chain/genesis.ts';
import type { ArchiveReader } from './archive-reader.ts';
import type { CheckPrevious, Findings, VerifyOptions } from './report.ts';
import { leavesBehind, verifyTrustedParts, type TrustedPart } from './trusted-part.ts';

/** A log that continues none. */
const FIRST_GENERATION = 1;

/** Each finding about the archive before begins with this: objects have the same names in both. */
const IN_PREVIOUS = 'in the previous archive';

/** Makes the check that `VerifyOptions.checkPrevious` asks for. */
export function previousIn(reader: ArchiveReader, options: VerifyOptions): CheckPrevious {
  return async (logs, findings) => {
    if (logs.length === 0) {
      findings.fail('previous_not_named', null, 'no genesis here continues another log');
      return;
    }
    const trusted = logs.map(({ log, continues: { origin, checkpoint } }) => ({
      log,
      head:
        checkpoint === undefined ? undefined : { name: `the trusted head of ${origin}`, note: checkpoint },
    }));
    const within = inPrevious(findings);
    const parts = await verifyTrustedParts(reader, trusted, options, within);
    for (const [position, part] of parts.entries()) {
      const log = logs[position];
      if (log !== undefined) await checkPart(reader, log, part, within);
    }
  };
}

function inPrevious(findings: Findings): Findings {
  return {
    ...findings,
    fail: (code, index, detail) => findings.fail(code, index, `${IN_PREVIOUS}: ${detail}`),
    notice: (code, index, detail) => findings.notice(code, index, `${IN_PREVIOUS}: ${detail}`),
  };
}

async function checkPart(
  reader: ArchiveReader,
  { synthetic, continues: { origin, genesis_sha256, generation } }: ContinuingLog,
  part: TrustedPart,
  findings: Findings,
): Promise<void> {
  const { log, size, verdict } = part;
  if (verdict === undefined) {
    findings.fail('previous_missing', null, `${log} (${origin}) is not there`);
    return;
  }
  const { genesis } = verdict.found;
  // A genesis that does not read was reported.
  if (genesis !== undefined && genesisDigest(genesis) !== genesis_sha256) {
    const detail = `the genesis of ${log} has SHA-256 ${genesisDigest(genesis)}, the new one names ${genesis_sha256}`;
    findings.fail('previous_other', null, detail);
    return;
  }
  const before = genesis?.continues?.generation ?? FIRST_GENERATION;
  if (genesis !== undefined && generation !== before + 1)
    findings.fail(
      'previous_other',
      null,
      `${log} is of generation ${String(before)}, and the new log of ${String(generation)}`,
    );
  if (genesis !== undefined && genesis.synthetic !== synthetic)
    findings.fail('previous_other', null, `${log} and the new log are not marked alike as synthetic`);
  const behind = await leavesBehind(reader, part);
  if (behind === 0) return;
  const detail = `${String(behind)} leaves of ${log} lie behind the trusted head of ${String(size)} leaves, and are not evidence`;
  findings.notice('untrusted_tail', null, detail);
}
