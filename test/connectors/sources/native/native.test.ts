import { describe, expect, it } from 'vitest';
import type { Expanded } from '../../../../connectors/drafts/source.ts';
import { native } from '../../../../connectors/sources/native/native.ts';
import type { Envelope } from '../../../../schemas/envelope.ts';
import { envelope } from '../recorded.ts';

const expand = (body: unknown, more: Partial<Envelope> = {}) => native.expand(envelope('native', body, more));
const NDJSON: Partial<Envelope> = { content_type: 'application/x-ndjson' };
const places = (expanded: Expanded[]) =>
  expanded.map((one) => (one.kind === 'draft' ? one.draft.type : [one.item.reason, one.item.pointer]));

describe('native events', () => {
  it('carry the facts and content they state', () => {
    const event = {
      type: 'deploy.finished',
      session_id: 's',
      event_id: 'e-1',
      occurred_at: '2026-11-21T08:00:00Z',
      facts: { tool_name: 'kubectl', success: true, duration_ms: 5, claimed_user: 'alice' },
      content: { log: 'done', ratio: 0.5 },
      cluster: 'eu-1',
    };
    expect(expand(event)).toMatchObject([
      {
        draft: {
          type: 'deploy.finished',
          source: 'native',
          claimed_subject: 'alice',
          facts: {
            source_event: 'deploy.finished',
            collector: 'laptop-1',
            session_id: 's',
            occurred_at: '2026-11-21T08:00:00Z',
            tool_name: 'kubectl',
            success: true,
            duration_ms: 5,
            claimed_user: 'alice',
          },
          content: { log: 'done', ratio: '0.5', extensions: { cluster: 'eu-1', event_id: 'e-1' } },
        },
      },
    ]);
  });

  it('have the same key in any grouping and spelling, and keys of their own by event id', () => {
    const keys = (expanded: Expanded[]) =>
      expanded.map((one) => (one.kind === 'draft' ? one.draft.natural_key : []));
    const events = [
      { type: 'a', event_id: '1' },
      { type: 'a', event_id: '2' },
    ];
    const lines = '{"event_id":"1", "type":"a"}\r\n\n  \n{"type":"a","event_id":"2"}';
    expect(keys(expand(lines, NDJSON))).toEqual(keys(expand(events)));
    expect(keys(expand(events[0]))).toEqual(keys(expand(events)).slice(0, 1));
    expect(new Set(keys(expand(events)).map(String)).size).toBe(2);
  });

  it.each([
    ['no type', {}, '/0/type'],
    ['a type in capitals', { type: 'Deploy' }, '/0/type'],
    ['a type that only the system writes', { type: 'quarantined' }, '/0/type'],
    ['an unknown fact', { type: 'a', facts: { colour: 'red' } }, '/0/facts/colour'],
    ['a fact that the receiver knows better', { type: 'a', facts: { collector: 'x' } }, '/0/facts/collector'],
    ['a count below zero', { type: 'a', facts: { duration_ms: -1 } }, '/0/facts/duration_ms'],
    ['a time without zone', { type: 'a', occurred_at: '2026-11-21T08:00:00' }, '/0/occurred_at'],
    ['content that is no object', { type: 'a', content: 'x' }, '/0/content'],
    ['no object', 7, '/0'],
  ])('with %s are quarantined, the others kept', (_, bad, pointer) => {
    const good = { type: 'ok' };
    const expanded = expand([bad, good]);
    expect(places(expanded)).toEqual([['item_shape_invalid', pointer], 'ok']);
    expect(expanded[0]?.kind === 'quarantined' && new TextDecoder().decode(expanded[0].item.bytes)).toBe(
      JSON.stringify(bad),
    );
  });

  it('are quarantined one by one where they have no canonical form', () => {
    expect(places(expand('[{"type":"a","n":1e999},{"type":"b"}]'))).toEqual([
      ['json_inexact_number', '/0/n'],
      'b',
    ]);
    expect(places(expand('{"type":"b"}\n{"type":"a","type":"a"}\n', NDJSON))).toEqual([
      'b',
      ['json_duplicate_key', '/1/type'],
    ]);
    expect(places(expand('{"type":"a","n":1e999}'))).toEqual([['json_inexact_number', '/n']]);
    expect(places(expand(`[${'{"n":1e999},'.repeat(2_000)}{}]`))).toEqual([['json_inexact_number', '']]);
  });

  it('are quarantined whole where the body is not JSON', () => {
    expect(places(expand('{"type":'))).toEqual([['body_undecodable', '']]);
  });

  it('in an empty body are none', () => {
    expect([expand('[]'), expand('', NDJSON)]).toEqual([[], []]);
  });
});
