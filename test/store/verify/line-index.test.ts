import { expect, it } from 'vitest';
import { packLines } from '../../../store/chain/bundle-bytes.ts';
import { sha256Hex } from '../../../store/chain/leaf.ts';
import { partDigest, partLine, saltOf, secretLine } from '../../../store/chain/part.ts';
import { checkPayload } from '../../../store/verify/payload.ts';
import { createFindings } from '../../../store/verify/report.ts';
import { testLock } from '../../support/ledger.ts';

const SECRET = Buffer.alloc(32, 'a');
const PART = '{"collector":"workstation","source_event":"PreToolUse"}';

/** Checks a payload object of one line, which names `named`, for the leaf at index 4 that commits to exactly this line. */
async function findingsOf(named: number) {
  const line = partLine(named, 'facts', PART);
  const bytes = Buffer.from(await packLines([secretLine(SECRET), line]));
  const stored = { bytes, sha256: sha256Hex(bytes), sizeBytes: bytes.length };
  const findings = createFindings();
  const ref = {
    kind: 'facts',
    retention_class: 'content',
    key: 'log/p0/facts/content/4',
    sha256: stored.sha256,
    size_bytes: stored.sizeBytes,
    line_count: 1,
    lock: testLock(),
  } as const;
  const expected = { indexes: [4], digests: [partDigest(line, saltOf(SECRET, 4, 'facts'))] };
  await checkPayload(ref, stored, expected, findings);
  return findings.failures();
}

it('a payload line that names the index of another record is refused, even where the leaf commits to it', async () => {
  expect(await findingsOf(4)).toEqual([]);
  expect(await findingsOf(5)).toMatchObject([{ code: 'payload_mismatch', index: 4 }]);
});
