import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGatewayMappings } from '../../app/engines.ts';
import { loadConfig } from '../../config.ts';
import { makeTempDir } from '../support/server.ts';
import { composeForTest } from './composed.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
beforeAll(async () => {
  folder = await makeTempDir();
});
afterAll(() => folder.remove());

const configOf = (file: string) => loadConfig(undefined, { AFFIDAVIT_INGEST_GATEWAY_MAPPINGS: file });

describe('gateways that a deployment describes', () => {
  it('are none without a file', async () => {
    expect(await readGatewayMappings(loadConfig(undefined, {}))).toEqual({});
  });

  it('have a route each', async () => {
    const file = join(folder.path, 'mappings.json');
    await writeFile(file, '{"acme":{"facts":{"model":"m","session_id":"s"}}}');
    const composed = await composeForTest({ AFFIDAVIT_INGEST_GATEWAY_MAPPINGS: file });
    try {
      const items = [{ m: 'claude', s: 's-1' }, { m: 'claude' }];
      const taken = await composed.post('/v1/gateways/acme', items);
      expect(await taken.json()).toEqual({ accepted: 2, quarantined: [] });
      expect((await composed.post('/v1/gateways/other', items)).status).toBe(404);
      expect(composed.appended).toMatchObject([
        { source: 'mapped-gateway', receiver: '/v1/gateways/acme', item_count: 2 },
      ]);
    } finally {
      await composed.close();
    }
  });

  it.each([
    ['is missing', undefined],
    ['is no JSON', '{'],
    ['has a mapping that is none', '{"acme":{}}'],
  ])('refuse the start where their file %s', async (_, text) => {
    const file = join(folder.path, text === undefined ? 'absent.json' : `bad-${String(text.length)}.json`);
    if (text !== undefined) await writeFile(file, text);
    await expect(readGatewayMappings(configOf(file))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
