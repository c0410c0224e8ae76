import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { itemSource } from '../../connectors/drafts/item-source.ts';
import type { DraftRecord, Expanded, Source } from '../../connectors/drafts/source.ts';
import { otlpLogs, otlpMetrics } from '../../connectors/sources/otlp/otlp.ts';
import { toProtobuf } from '../connectors/wire/otlp/to-protobuf.ts';
import { native } from '../../connectors/sources/native/native.ts';
import { MAX_RECORD_LENGTH } from '../../ingest/expansion.ts';
import { createNormaliser } from '../../ingest/normalise.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import type { JsonValue } from '../../schemas/json.ts';
import { envelope, recordedRequests } from '../connectors/sources/recorded.ts';

const surrogates = createSurrogates(new Uint8Array(32).fill(3));
const normalise = createNormaliser({ surrogates });
const hook = (body: unknown, more: Partial<Envelope> = {}) => envelope('claude-code-hook', body, more);

function withSource(source: Pick<Source, 'expand'>) {
  return createNormaliser({ surrogates, sources: [{ ...native, ...source }] });
}

describe('createNormaliser', () => {
  it('adds ids, surrogates, collector and times to the drafts of a source', () => {
    const { records, quarantinedCount } = normalise(hook({ hook_event_name: 'Stop', session_id: 's' }));
    expect(quarantinedCount).toBe(0);
    expect(records).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        type: 'turn.ended',
        source: 'hook',
        retention_class: 'content',
        principal: surrogates.principal('laptop-1'),
        subject: null,
        key_owner: surrogates.sessionOwner('s'),
        received_at: '2026-11-21T09:00:00.000Z',
        facts: { source_event: 'Stop', collector: 'laptop-1', session_id: 's', success: true },
        person: null,
        content: null,
      },
    ]);
  });

  it('turns the claimed person into a surrogate and keeps the claim in the person alone', () => {
    const { records } = normalise(envelope('native', { type: 'a', facts: { claimed_user: 'alice' } }));
    const [{ person, ...leafParts } = expect.fail('no record')] = records;
    expect(leafParts.subject).toBe(surrogates.subject('alice'));
    expect(leafParts.key_owner).toBe(leafParts.subject);
    expect(JSON.stringify(leafParts)).not.toContain('alice');
    expect(person).toEqual({ claimed_user: 'alice' });
  });

  it('gives every record of all recordings an id of its own, and the same id when it is delivered again', () => {
    // A client repeats its conversation with every call, so what a gateway tells is told again by intent.
    const requests = recordedRequests()
      .map(({ envelope: request }) => request)
      .filter(({ source }) => source !== 'litellm');
    const ids = requests.flatMap((request) => normalise(request).records.map(({ id }) => id));
    const later = { received_at: '2027-01-01T00:00:00.000Z', principal: 'laptop-2', envelope_id: 'again' };
    const again = requests.flatMap((request) =>
      normalise({ ...request, ...later }).records.map(({ id }) => id),
    );
    expect(ids.length).toBeGreaterThan(500);
    expect(new Set(ids).size).toBe(ids.length);
    expect(again).toEqual(ids);
  });

  it('keeps what cannot be sealed as a record of type quarantined, its bytes included', () => {
    const body = '{"hook_event_name":"Stop","n":9007199254740993}';
    const { records, quarantinedCount } = normalise(hook(body));
    expect(quarantinedCount).toBe(1);
    expect(records).toMatchObject([
      {
        type: 'quarantined',
        source: 'affidavit',
        subject: null,
        facts: {
          source_event: 'claude-code-hook',
          collector: 'laptop-1',
          quarantine_reason: 'json_inexact_number',
          quarantine_pointer: '/n',
          body_sha256: createHash('sha256').update(body).digest('hex'),
          input_size_bytes: body.length,
        },
        content: { body_base64: Buffer.from(body).toString('base64') },
      },
    ]);
    expect(normalise(hook(body, { envelope_id: 'again' })).records).toEqual(records);
  });

  it('keeps the sound items of a body beside the quarantined ones, in order', () => {
    const logRecords = [{ severityText: 'a' }, 5, { severityText: 'b' }];
    const body = { resourceLogs: [{ scopeLogs: [{ logRecords }] }] };
    const { records, quarantinedCount } = normalise(envelope('otlp-logs', body));
    expect(records.map(({ type }) => type)).toEqual(['event.observed', 'quarantined', 'event.observed']);
    expect(quarantinedCount).toBe(1);
    const { body_base64: kept } = records[1]?.content ?? {};
    expect(Buffer.from(kept as string, 'base64').toString()).toBe('5');
  });

  it('keeps an envelope of a source that this release does not know, whole and with a reason', () => {
    const one = envelope('native', { type: 'a' }, { source: 'of-a-later-release' });
    expect(normalise(one)).toMatchObject({
      quarantinedCount: 1,
      records: [
        {
          type: 'quarantined',
          facts: {
            source_event: 'of-a-later-release',
            quarantine_reason: 'body_undecodable',
            quarantine_pointer: '',
          },
          content: { body_base64: Buffer.from(one.body).toString('base64') },
        },
      ],
    });
  });

  it('loses no envelope to a source that throws', () => {
    const fails = withSource({
      expand: () => {
        throw new TypeError('a defect');
      },
    });
    expect(fails(envelope('native', { type: 'a' }))).toMatchObject({
      quarantinedCount: 1,
      records: [{ facts: { quarantine_reason: 'body_undecodable', quarantine_pointer: '' } }],
    });
  });

  it.each<[string, JsonValue]>([
    ['a fraction', 0.5],
    ['a lone surrogate', '\ud800'],
    ['a nested integer beyond 2^53', [{ a: 2 ** 60 }]],
  ])('loses no envelope to a source that yields %s, which cannot be hashed', (_, value) => {
    const facts = { source_event: 'x', collector: 'c' };
    const draft = {
      type: 'a',
      source: 'native',
      natural_key: ['k'],
      claimed_subject: null,
      facts,
      content: { value },
    } as const;
    const yields = withSource({ expand: () => [{ kind: 'draft', draft }] });
    expect(yields(envelope('native', { type: 'a' }))).toMatchObject({
      quarantinedCount: 1,
      records: [{ type: 'quarantined', facts: { quarantine_reason: 'body_undecodable' } }],
    });
  });

  it.each<[string, JsonValue]>([
    ['an array', [1, 2, 3].map((n) => ({ type: 'a', event_id: String(n) }))],
    ['lines', '{"type":"a","event_id":"1"}\n{"type":"a","event_id":"2"}\n{"type":"a","event_id":"3"}'],
  ])('quarantines only the item of %s whose draft is unsound, or that the source fails on', (kind, body) => {
    const content_type = kind === 'lines' ? 'application/x-ndjson' : 'application/json';
    const one = envelope('native', body, { content_type });
    const sound = normalise(one).records;
    for (const spoil of [
      (draft: DraftRecord) => ({ ...draft, facts: { ...draft.facts, duration_ms: 1e300 } }),
      (draft: DraftRecord) => ({ ...draft, content: { a: '\ud800' } }),
      (draft: DraftRecord) => ({ ...draft, type: 'Not A Type' }),
      (): DraftRecord => {
        throw new TypeError('a defect');
      },
    ]) {
      const spoilt = itemSource({
        ...native,
        sessionOf: () => undefined,
        toDrafts: (from, value) => {
          const drafts = native
            .expand({ ...from, body: Buffer.from(JSON.stringify(value)), content_type: 'application/json' })
            .flatMap((expanded) => (expanded.kind === 'draft' ? [expanded.draft] : []));
          return value['event_id'] === '2' ? [...drafts, ...drafts.map(spoil)] : drafts;
        },
      });
      const { records, quarantinedCount } = withSource({ expand: (from) => spoilt.expand(from) })(one);
      expect(quarantinedCount).toBe(1);
      expect([records[0], records[2]]).toEqual([sound[0], sound[2]]);
      expect(records[1]).toMatchObject({
        type: 'quarantined',
        facts: { quarantine_reason: 'body_undecodable', quarantine_pointer: '/1' },
      });
      const kept = Buffer.from(records[1]?.content?.['body_base64'] as string, 'base64').toString();
      expect(JSON.parse(kept)).toEqual({ type: 'a', event_id: '2' });
      expect(records).toHaveLength(3);
    }
  });

  it.each(['logs', 'metrics'] as const)(
    'quarantines only the item of OTLP %s whose draft is unsound',
    (signal) => {
      const point = (id: string) => ({ asInt: '1', attributes: [{ key: 'id', value: { stringValue: id } }] });
      const items = { logs: 'logRecords', metrics: 'dataPoints' }[signal];
      const list = { [items]: ['1', '2', '3'].map(point) };
      const body =
        signal === 'logs'
          ? { resourceLogs: [{ scopeLogs: [{}, list] }] }
          : { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', gauge: list }] }] }] };
      const source = signal === 'logs' ? otlpLogs : otlpMetrics;
      const expand = (one: Envelope): Expanded[] =>
        source.expand(one).map((expanded, index) => {
          if (index !== 1 || expanded.kind !== 'draft') return expanded;
          return { ...expanded, draft: { ...expanded.draft, content: { a: 0.5 } } };
        });
      const place =
        signal === 'logs'
          ? '/resourceLogs/0/scopeLogs/1/logRecords/1'
          : '/resourceMetrics/0/scopeMetrics/0/metrics/0/gauge/dataPoints/1';
      const json = envelope('native', body);
      const binary = envelope('native', toProtobuf(signal, body), { content_type: 'application/x-protobuf' });
      for (const one of [json, binary]) {
        const { records } = withSource({ expand })(one);
        expect(records.map(({ type }) => type === 'quarantined')).toEqual([false, true, false]);
        expect(records[1]?.facts.quarantine_pointer).toBe(place);
        const kept = Buffer.from(records[1]?.content?.['body_base64'] as string, 'base64');
        if (one === json) expect(JSON.parse(kept.toString())).toEqual(point('2'));
        else {
          const again = source.expand({ ...one, body: kept });
          expect(again).toHaveLength(1);
        }
      }
    },
  );

  it('keeps an envelope whole whose records cannot be labelled', () => {
    const fails = createNormaliser({
      surrogates,
      classify: () => {
        throw new RangeError('a defect');
      },
    });
    const sent = hook({ hook_event_name: 'Stop' });
    expect(fails(sent)).toMatchObject({
      quarantinedCount: 1,
      records: [
        {
          facts: { quarantine_reason: 'body_undecodable', quarantine_pointer: '' },
          content: { body_base64: Buffer.from(sent.body).toString('base64') },
        },
      ],
    });
  });
});

describe('the length of what one envelope becomes', () => {
  const reasonsOf = (sent: Envelope) =>
    normalise(sent).records.map(({ facts }) => [facts.quarantine_reason, facts.quarantine_pointer]);
  const WHOLE = [['body_expands_too_large', '']];

  it('grows little with a long name above much data about people', () => {
    const body = { hook_event_name: 'Stop', ['k'.repeat(600_000)]: Array<string>(1_000).fill('a@b.io') };
    const { records, plainLength } = normalise(hook(body));
    expect(records.map(({ type, facts }) => [type, facts.data_classes])).toEqual([['turn.ended', ['email']]]);
    expect(canonicalJson(records[0]?.content ?? null).length).toBeLessThan(2 * JSON.stringify(body).length);
    expect(plainLength).toBeLessThan(2 * JSON.stringify(body).length);
  });

  it('is that of their canonical text, but for escapes', () => {
    for (const { envelope: request } of recordedRequests()) {
      const { records, plainLength } = normalise(request);
      const text = records
        .map(({ facts, content }) => canonicalJson(facts) + canonicalJson(content))
        .join('');
      expect(plainLength).toBeGreaterThan(text.length * 0.7);
      expect(plainLength).toBeLessThan(text.length * 1.3);
    }
  });

  it('is bounded where many records share one part full of data about people', () => {
    const attributes = [{ key: 'a', value: { stringValue: 'a@b.io '.repeat(1_000) } }];
    const logRecords = Array.from({ length: 2_500 }, (_, index) => ({ timeUnixNano: String(index + 1) }));
    const body = { resourceLogs: [{ resource: { attributes }, scopeLogs: [{ logRecords }] }] };
    expect(reasonsOf(envelope('otlp-logs', body))).toEqual(WHOLE);
    const fewer = {
      resourceLogs: [{ resource: { attributes }, scopeLogs: [{ logRecords: logRecords.slice(0, 100) }] }],
    };
    expect(normalise(envelope('otlp-logs', fewer))).toMatchObject({ quarantinedCount: 0 });
  });

  it('is bounded where a source keeps the whole body for each of many unsound items', () => {
    const keepsWhole = withSource({
      expand: ({ body }) =>
        Array.from({ length: 3_000 }, (_, index) => ({
          kind: 'quarantined',
          item: { reason: 'item_shape_invalid', pointer: `/${index}`, bytes: body },
        })),
    });
    const reasons = (length: number) =>
      keepsWhole(envelope('native', { x: 'x'.repeat(length) })).records.map(
        ({ facts }) => facts.quarantine_reason,
      );
    expect(reasons(100_000)).toEqual(['body_expands_too_large']);
    expect(reasons(10)).toEqual(Array(3_000).fill('item_shape_invalid'));
  });

  it('is that of the items where each keeps its own bytes, whatever the name of their list', () => {
    const items = Array<number>(3_000).fill(5).join(',');
    const body = `{"x":"${'x'.repeat(100_000)}","resourceLogs":[{"scopeLogs":[{"logR\\u0065cords":[${items}]}]}]}`;
    const { records, plainLength } = normalise(envelope('otlp-logs', body));
    const kept = records.map(({ content }) => content?.['body_base64']);
    const itsOwn = Buffer.from('5').toString('base64');
    expect(kept.slice(0, -1)).toEqual(Array(3_000).fill(itsOwn));
    expect(kept.at(-1)).toBe(Buffer.from(JSON.stringify('x'.repeat(100_000))).toString('base64'));
    expect(plainLength).toBeLessThan(2_000_000);
  });

  it('counts escapes where they could make a record too long', () => {
    const length = MAX_RECORD_LENGTH / 6 + 1_000;
    const yields = (text: string) => {
      const facts = { source_event: 'x', collector: 'c' };
      const draft = {
        type: 'a',
        source: 'native',
        natural_key: ['k'],
        claimed_subject: null,
        facts,
      } as const;
      return withSource({ expand: () => [{ kind: 'draft', draft: { ...draft, content: { text } } }] });
    };
    const sent = envelope('native', { type: 'a' });
    expect(yields('x'.repeat(length))(sent).quarantinedCount).toBe(0);
    expect(yields('\u0001'.repeat(length))(sent).records).toMatchObject([
      { facts: { quarantine_reason: 'body_expands_too_large' } },
    ]);
  });
});
