/** The logs of a deployment over C2SP tlog-tiles, judged by programs that others wrote. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tileKey } from '../../store/chain/layout.ts';
import { openArchivedTree } from '../../store/ledger/archived-tree.ts';
import { createLog } from '../../store/ledger/genesis.ts';
import type { Ledger } from '../../store/ledger/ledger.ts';
import { createTilesProjection } from '../../store/projections/tiles.ts';
import { ADMIN_TOKEN, openApiStack, type ApiStack } from '../support/api-stack.ts';
import { buildGoProgram } from '../support/go-program.ts';
import { createTestLog, createTestSigner, TEST_POLICY } from '../support/ledger.ts';
import { leavesOf, sealSizes } from '../support/long-log.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { verifyWithSigstore } from '../support/sigstore.ts';
import { checkTlog } from '../support/tlog-check.ts';
import { unreachableStore } from '../support/unreachable-store.ts';

/** Bundles of each log: many small ones, full tiles alone, more than one tile of level 1, one leaf. */
const LOGS: Readonly<Record<string, readonly number[]>> = {
  p0: [...Array.from({ length: 60 }, (_, n) => 17 + n), 1, 1, 1],
  p1: [256, 256],
  p2: [1_000, 66_000, 333],
  p3: [1],
};

const archive = createMemoryArchive();
const dir = await mkdtemp(join(tmpdir(), 'affidavit-tlog-'));
const program = buildGoProgram('tlog-check', dir);
const ledgers: Ledger[] = [];
let stack: ApiStack;
let base: string;

async function sealLog(log: string, sizes: readonly number[]): Promise<Ledger> {
  const scratch = { archive: createMemoryArchive(), records: createMemoryRecordStore() };
  const signer = createTestSigner(`test.example/affidavit/${log}`);
  const projections = [createTilesProjection({ log, archive })];
  const options = { ...(await createTestLog(scratch)), log, archive, signer, projections };
  await createLog({ ...options, policy: TEST_POLICY });
  return sealSizes(options, sizes);
}

beforeAll(async () => {
  for (const [log, sizes] of Object.entries(LOGS)) {
    const ledger = await sealLog(log, sizes);
    ledgers.push(ledger);
    await writeFile(join(dir, log), ledger.vkey);
  }
  const trees = new Map(ledgers.map(({ log }) => [log, openArchivedTree({ archive, log })]));
  const evidence = { store: unreachableStore(), published: ledgers, trees };
  stack = await openApiStack(unreachableStore(), { evidence });
  await stack.app.listen({ host: '127.0.0.1', port: 0 });
  base = `http://127.0.0.1:${String((stack.app.server.address() as AddressInfo).port)}/v1/logs`;
}, 300_000);
afterAll(async () => {
  await stack.close();
  await rm(dir, { recursive: true });
});

const check = (log: string) =>
  checkTlog(program.path ?? '', {
    url: `${base}/${log}/`,
    vkeyFile: join(dir, log),
    token: ADMIN_TOKEN,
  });

describe.skipIf(program.path === undefined)('a served log', () => {
  it.each(Object.keys(LOGS))(
    '%s is accepted by fsck of Tessera and by sumdb of Go',
    async (log) => {
      const size = LOGS[log]!.reduce((sum, one) => sum + one);
      expect(await check(log)).toEqual({
        code: 0,
        stdout: `fsck ok\nsumdb ok at ${String(size)}\n`,
        stderr: expect.any(String) as string,
      });
    },
    300_000,
  );

  it.each([
    ['a tile of leaf hashes', tileKey('p2', 0, 7)],
    ['a tile above', tileKey('p2', 1, 0)],
  ])(
    'is refused by fsck where %s is another one',
    async (_, key) => {
      const original = archive.objects.get(key)!;
      archive.objects.set(key, Buffer.from(original).fill(0, 0, 32));
      const own = await openApiStack(unreachableStore(), {
        evidence: {
          store: unreachableStore(),
          published: ledgers,
          trees: new Map([['p2', openArchivedTree({ archive, log: 'p2' })]]),
        },
      });
      await own.app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = own.app.server.address() as AddressInfo;
      const url = `http://127.0.0.1:${String(port)}/v1/logs/p2/`;
      const vkeyFile = join(dir, 'p2');
      const run = await checkTlog(program.path ?? '', {
        url,
        vkeyFile,
        token: ADMIN_TOKEN,
      });
      archive.objects.set(key, original);
      await own.close();
      expect(run).toMatchObject({ code: 1, stdout: '' });
    },
    300_000,
  );
});

describe('proofs from tiles', () => {
  it.each(Object.keys(LOGS))(
    'of %s are accepted by @sigstore/verify',
    async (log) => {
      const ledger = ledgers.find((one) => one.log === log)!;
      const { note, tree_size: size } = (await ledger.checkpoint())!;
      const leaves = await leavesOf(archive, log);
      const tree = openArchivedTree({ archive, log });
      for (let index = 0; index < size; index += Math.ceil(size / 200)) {
        const path = await tree.path(index, size);
        verifyWithSigstore({ vkey: ledger.vkey, note, leaf: Buffer.from(leaves[index]!), index, path });
      }
    },
    120_000,
  );
});
