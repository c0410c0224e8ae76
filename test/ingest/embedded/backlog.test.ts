import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import type { EventLog } from '../../../ingest/event-log.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { consumeCount } from '../../contract/event-log.contract.ts';

const of = (principal: string, name: string) => ({ ...envelopeOf(name), principal });

describe('the backlog of one collector', () => {
  let dir: string;
  let log: EventLog;
  const open = () =>
    openEmbeddedEventLog({
      newId: randomUUID,
      dir,
      maxBacklogBytes: 1 << 24,
      maxBacklogEnvelopes: 10,
      maxPerCollectorPercent: 50,
    });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-backlog-'));
    log = await open();
  });
  afterEach(async () => {
    await log.close();
    await rm(dir, { recursive: true });
  });

  it('ends at its share, past a restart too, while others append; it goes on when it is sealed', async () => {
    for (let index = 0; index < 5; index += 1) await log.append([of('greedy', `g${String(index)}`)]);
    const more = () => log.append([of('greedy', 'more')]);
    await expect(more()).rejects.toMatchObject({ code: 'COLLECTOR_PUSHBACK', status: 429 });
    await log.close();
    log = await open();
    await expect(more()).rejects.toMatchObject({ code: 'COLLECTOR_PUSHBACK' });
    for (let index = 0; index < 5; index += 1) await log.append([of('other', `o${String(index)}`)]);
    await expect(log.append([of('third', 't')])).rejects.toMatchObject({ code: 'LOG_PUSHBACK' });
    const { envelopes } = await consumeCount(log, 10);
    expect(envelopes.map(({ envelope }) => envelope.principal)).toEqual([
      ...Array<string>(5).fill('greedy'),
      ...Array<string>(5).fill('other'),
    ]);
    await more();
    expect((await log.lag()).envelopes).toBe(1);
  });

  it('takes no request that is larger than the whole share, and says that no retry helps', async () => {
    const large = { ...envelopeOf('large', Buffer.alloc((1 << 23) + 1)), principal: 'greedy' };
    await expect(log.append([large])).rejects.toMatchObject({ code: 'BODY_TOO_LARGE', status: 413 });
    const many = Array.from({ length: 6 }, (_, index) => of('greedy', `g${String(index)}`));
    await expect(log.append(many)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
  });
});
