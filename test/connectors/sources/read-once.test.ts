import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSourceFinder, SOURCES } from '../../../connectors/sources/index.ts';
import { readWithoutSecrets } from '../../../ingest/receivers/redact.ts';
import { sessionKey, sourceKey, type Envelope } from '../../../schemas/envelope.ts';
import { readFixtures } from '../../support/fixtures.ts';
import { MERGED } from '../../ingest/receivers/split/merged.ts';
import { envelope, expandEnvelope, recordedRequests } from './recorded.ts';

const sourceOf = createSourceFinder(SOURCES);
const RECORDED = recordedRequests().map((one) => [one.name, one.envelope] as const);
const BODIES = [
  ...RECORDED,
  ...MERGED.map((one) => [one.name, one.envelope] as const),
  ...[...readFixtures('gateways')].map(([name, body]) => {
    const gateway = name.split('-')[0]!;
    return [name, envelope(gateway, [body, 7, body])] as const;
  }),
];

afterEach(() => vi.restoreAllMocks());

/** The key of each record, as the drafts have it. */
function keysOf(one: Envelope): string[] {
  return expandEnvelope(one).map((expanded) => {
    const session = expanded.kind === 'draft' ? (expanded.draft.facts.session_id ?? '') : '';
    return session === '' ? sourceKey('s') : sessionKey(session);
  });
}

describe('the one reading of a body', () => {
  it.each(BODIES)('counts the records of %s, and tells their sessions', (_, one) => {
    const read = sourceOf(one)!.read(one);
    const keys = read
      .items()
      .flatMap(({ recordCount, session = '' }) =>
        Array<string>(recordCount).fill(session === '' ? sourceKey('s') : sessionKey(session)),
      );
    expect(keys).toEqual(keysOf(one));
    expect(read.recordCount).toBe(keys.length);
    const quarantined = expandEnvelope(one).flatMap((item) => (item.kind === 'draft' ? [] : [item.item]));
    expect(read.problems).toMatchObject(quarantined.map(({ reason, pointer }) => ({ reason, pointer })));
  });

  it.each(RECORDED)('parses %s once, with its secrets or without', (_, one) => {
    const parse = vi.spyOn(JSON, 'parse');
    const { body } = readWithoutSecrets(sourceOf(one)!, one, () => '0'.repeat(16));
    const characters = parse.mock.calls.reduce((sum, [text]) => sum + text.length, 0);
    expect(characters).toBeLessThanOrEqual(body.length);
  });
});
