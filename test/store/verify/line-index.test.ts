import { createSecretKey } from 'node:crypto';
import { expect, it } from 'vitest';
import type { BundleHeader, PartKind } from '../../../schemas/bundle.ts';
import { keyCommitment } from '../../../store/chain/data-key.ts';
import { frameDigest, frameKeyAddress, frameSecret, sealFrame } from '../../../store/chain/frame.ts';
import { deflateLines } from '../../../store/chain/frame-lines.ts';
import { partDigest, partLine, saltOf } from '../../../store/chain/part.ts';
import { FrameComparison, noFrames } from '../../../store/verify/frame-lines.ts';
import { createFindings } from '../../../store/verify/report.ts';

const PART = '{"collector":"workstation","source_event":"PreToolUse"}';
const HEADER = { origin: 'o', start_index: 4, integrated_at: '2026-11-21T09:00:00.000Z' } as BundleHeader;
const LABEL = { kind: 'facts', retention_class: 'facts', subject: null } as const;

/** Checks a frame of one line, which names `named`, for the leaf at index 4 that commits to exactly this line. */
async function findingsOf(named: number, name: PartKind = 'facts') {
  const key = createSecretKey(Buffer.alloc(32, 'k'));
  const address = frameKeyAddress(HEADER, LABEL);
  const commitment = keyCommitment(key, address);
  const nonce = Buffer.alloc(12, 'n');
  const line = partLine(named, name, PART);
  const label = { ...LABEL, commitment: commitment.toString('base64url') };
  const compressed = await deflateLines(Buffer.from(`${line}\n`));
  const bytes = sealFrame({ key, nonce }, { place: HEADER, label }, compressed);
  const named64 = { nonce: nonce.toString('base64url'), digest: frameDigest(bytes) };
  const frame = { ...label, ...named64, line_count: 1, payload: 0, size_bytes: bytes.length };
  const digest = partDigest(line, saltOf(frameSecret(key, nonce), 4, 'facts'));
  const demanded = {
    digests: new Map([['facts/facts', new Map([[4, digest]])]]),
    owners: new Map<number, string>(),
  };
  const findings = createFindings();
  const comparison = new FrameComparison({ header: HEADER, frames: [frame], demanded }, findings, noFrames());
  comparison.compare({ frame, bytes }, { address, key, commitment });
  comparison.finish();
  return findings.failures();
}

it('a line of a frame that names the index of another record is refused, even where the leaf commits to it', async () => {
  expect(await findingsOf(4)).toEqual([]);
  expect((await findingsOf(5)).map(({ code, index }) => [code, index])).toEqual([
    ['payload_mismatch', 4],
    ['payload_mismatch', 5],
  ]);
});

it('a line of a frame that names another kind is refused, even where the leaf commits to it', async () => {
  expect((await findingsOf(4, 'person')).map(({ code, index }) => [code, index])).toEqual([
    ['payload_mismatch', 4],
  ]);
});
