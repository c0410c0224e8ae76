import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openDelivery } from '../../../ingest/send/delivery.ts';

async function postTo(status: number, answer: object) {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const to = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const { signal } = new AbortController();
  try {
    const body = { contentType: 'application/json', bytes: new Uint8Array([0x7b, 0x7d]) } as const;
    return await openDelivery({ to, token: 't', clock: Date.now, signal }).post('/v1/gateways/nosuch', body);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('a delivery', () => {
  it('repeats what the receivers say about a gateway that they do not know', async () => {
    const detail = 'no gateway is called nosuch; known: litellm';
    await expect(postTo(404, { code: 'NOT_FOUND', detail })).rejects.toMatchObject({
      code: 'USAGE_INVALID',
      detail: expect.stringContaining(detail) as string,
      hint: expect.stringContaining('--to') as string,
    });
  });

  it('counts the objects for which an entry of the quarantine stands', async () => {
    const quarantined = [{ index: 0, items: 50_001 }, { index: 1 }];
    expect(await postTo(200, { accepted: 3, quarantined })).toEqual({
      kind: 'accepted',
      accepted: 3,
      quarantined: 50_002,
    });
  });
});
