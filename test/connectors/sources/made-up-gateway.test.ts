import { describe, expect, it } from 'vitest';
import { SOURCES } from '../../../connectors/sources/index.ts';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { JSON_HEADERS, prepareBench } from '../../ingest/receivers/setup.ts';
import { sourceTable } from '../../support/source-table.ts';
import { acme } from './made-up/acme.ts';

/** The line that a new outside system takes in the list. */
const sources = [...SOURCES, acme];

const BODY = `[
  {"session":"s-1","model":"m","tokens":7,"message":{"role":"user","content":"hello"}},
  {"session":"s-2","model":"m"},
  {"session":"s-1","model":"m","x":1,"x":2},
  {"session":"s-1","tokens":3}
]`;

async function send(options: object = {}) {
  const bench = prepareBench({ sources, ...options });
  const url = '/v1/gateways/acme';
  const answer = await buildReceivers(bench.options).inject({
    method: 'POST',
    url,
    headers: JSON_HEADERS,
    payload: BODY,
  });
  return { answer, bench };
}

const normaliserOf = (more: object) =>
  createNormaliser({
    surrogates: createSurrogates(new Uint8Array(32).fill(3)),
    ...more,
  });

describe('an outside system that is added with one file and one line', () => {
  it('has its route, and its sender is told of items in quarantine', async () => {
    const { answer, bench } = await send();
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      accepted: 2,
      quarantined: [
        { index: 2, reason: 'json_duplicate_key', pointer: '/2/x' },
        { index: 3, reason: 'item_shape_invalid', pointer: '/3/model' },
      ],
    });
    expect(bench.appended).toMatchObject([
      { source: 'acme', receiver: '/v1/gateways/acme', item_count: 5, principal: 'collector-1' },
    ]);
  });

  it('has counters', async () => {
    const { bench } = await send();
    expect(bench.options.counters).toMatchObject({
      items: 5,
      quarantinedItems: 2,
      itemsBySource: { acme: 5 },
    });
  });

  it('has a split key', async () => {
    const { bench } = await send({ splitBySession: true });
    const parts = bench.appended.map(({ partition_key, item_count }) => [partition_key, item_count]);
    expect(parts).toEqual([
      ['session:s-1', 2],
      ['session:s-2', 1],
      ['source:acme', 2],
    ]);
  });

  it('has records, and its unsound items are quarantined where they stand', async () => {
    const { bench } = await send();
    const { records, quarantinedCount } = normaliserOf({ sources })(bench.appended[0]!);
    expect(quarantinedCount).toBe(2);
    expect(records).toMatchObject([
      { type: 'model.called', facts: { gateway: 'acme', session_id: 's-1', model: 'm', input_tokens: 7 } },
      { type: 'message.observed', facts: { gateway: 'acme', session_id: 's-1' } },
      { type: 'model.called', facts: { gateway: 'acme', session_id: 's-2' } },
      { type: 'quarantined', facts: { source_event: 'acme', quarantine_pointer: '/2/x' } },
      { type: 'quarantined', facts: { source_event: 'acme', quarantine_pointer: '/3/model' } },
    ]);
  });

  it('has a row in the table of sources', () => {
    const row = sourceTable(sources)
      .split('\n')
      .find((line) => line.includes('acme'));
    expect(row?.split('|').map((cell) => cell.trim())).toEqual([
      '',
      'Acme, made up',
      '`/v1/gateways/acme`',
      'JSON, NDJSON',
      'bearer token',
      '`accepted`, `quarantined`',
      '`acme`',
      '',
    ]);
  });

  it('is kept whole, in quarantine, by a sequencer whose list does not hold it yet', async () => {
    const { bench } = await send();
    const { records } = normaliserOf({})(bench.appended[0]!);
    const kept = Buffer.from(records[0]!.content!['body_base64'] as string, 'base64').toString();
    expect([records.length, records[0]!.facts.quarantine_reason, kept]).toEqual([
      1,
      'body_undecodable',
      BODY,
    ]);
  });
});
