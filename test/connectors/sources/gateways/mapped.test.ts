import { describe, expect, it } from 'vitest';
import { createSourceFinder, KNOWN_GATEWAYS, sourcesWith } from '../../../../connectors/sources/index.ts';
import {
  digestMapping,
  parseMappings,
  type GatewayMapping,
} from '../../../../connectors/sources/gateways/mapped-shape.ts';
import { mappedGateway } from '../../../../connectors/sources/gateways/mapped.ts';
import { createNormaliser } from '../../../../ingest/normalise.ts';
import { createSurrogates } from '../../../../ingest/surrogates.ts';
import { envelope } from '../recorded.ts';

const MAPPING: GatewayMapping = {
  event: 'kind',
  facts: {
    occurred_at: ['ended', 'started'],
    duration_ms: 'took',
    cost_usd_micros: 'price',
    session_id: 'headers.x\\.session',
    request_id: 'id',
    claimed_user: ['who.email', 'who.name'],
    model: 'model',
    input_tokens: 'usage.in',
    success: 'ok',
  },
  units: { time: 'milliseconds', duration: 'seconds', cost: 'usd_cents' },
  policy: { path: 'guard', values: { DENY: 'block', OPEN: 'failed_open' } },
  messages: 'request.messages',
  answer: 'reply.text',
};

const ITEM = {
  id: 'a-1',
  kind: 'chat',
  started: 1_772_445_600_250,
  took: 1.25,
  price: 0.5,
  headers: { 'x.session': 's-1' },
  who: { name: 'ben' },
  model: 'claude',
  usage: { in: 7 },
  ok: true,
  guard: 'OPEN',
  request: { messages: [{ role: 'user', content: 'hello' }], temperature: 1 },
  reply: { text: 'hi', id: 'm-1' },
};

const surrogates = createSurrogates(new Uint8Array(32).fill(3));
const gateway_mapping = { name: 'acme', sha256: digestMapping(MAPPING) };

function draftsOf(item: object, mapping = MAPPING) {
  return mappedGateway('acme', mapping)
    .expand(envelope('mapped-gateway', item))
    .map((expanded) => {
      if (expanded.kind !== 'draft') throw new Error(expanded.item.reason);
      return expanded.draft;
    });
}

describe('a gateway that is described by a mapping', () => {
  it('has the facts that the mapping names, in their units', () => {
    expect(draftsOf(ITEM)[0]!.facts).toEqual({
      source_event: 'chat',
      collector: 'laptop-1',
      gateway: 'acme',
      occurred_at: '2026-03-02T10:00:00.250Z',
      duration_ms: 1250,
      cost_usd_micros: 5000,
      session_id: 's-1',
      request_id: 'a-1',
      claimed_user: 'ben',
      claimed_user_source: 'who.name',
      model: 'claude',
      input_tokens: 7,
      success: true,
      policy_outcome: 'failed_open',
    });
  });

  it('keeps everything else, and says in each record by which mapping it was made', () => {
    const drafts = draftsOf(ITEM);
    expect(drafts.map(({ type }) => type)).toEqual(['model.called', 'message.observed', 'message.observed']);
    expect(drafts[0]!.content).toMatchObject({
      item: { reply: { id: 'm-1' }, request: { temperature: 1 }, who: { name: 'ben' }, took: '1.25' },
      gateway_mapping,
    });
    expect(drafts.map(({ content }) => content?.['gateway_mapping'])).toEqual(Array(3).fill(gateway_mapping));
  });

  it('fails where the mapping says so, or where it did not succeed', () => {
    const failed = { path: 'state', values: ['error', 500] };
    const types = [
      draftsOf({ ...ITEM, ok: 'false' }),
      draftsOf({ ...ITEM, state: 'error' }, { ...MAPPING, failed }),
      draftsOf({ ...ITEM, state: 500 }, { ...MAPPING, failed }),
      draftsOf({ ...ITEM, state: 200 }, { ...MAPPING, failed }),
    ].map(([call]) => [call!.type, call!.facts.success]);
    expect(types).toEqual([
      ['model.failed', false],
      ['model.failed', false],
      ['model.failed', false],
      ['model.called', true],
    ]);
  });

  it('is another mapping when anything of it changes', () => {
    expect(digestMapping({ ...MAPPING, event: 'other' })).not.toBe(gateway_mapping.sha256);
    const reordered = Object.fromEntries(Object.entries(MAPPING).reverse()) as unknown as GatewayMapping;
    expect(digestMapping(reordered)).toBe(gateway_mapping.sha256);
  });

  it('is read by the sequencer by its route, and kept whole where it is not described there', () => {
    const one = envelope('mapped-gateway', ITEM, { receiver: '/v1/gateways/acme' });
    const [known, unknown] = [{ acme: MAPPING }, { other: MAPPING }].map((mappings) =>
      createNormaliser({ surrogates, sources: sourcesWith(mappings) })(one),
    );
    expect(known).toMatchObject({ quarantinedCount: 0, records: [{}, {}, {}] });
    expect(unknown!.records).toMatchObject([
      { type: 'quarantined', facts: { quarantine_reason: 'body_undecodable', quarantine_pointer: '' } },
    ]);
    expect(createSourceFinder(sourcesWith({}))(one)).toBeUndefined();
  });
});

describe('a file of mappings', () => {
  const parse = (value: unknown) => () => parseMappings(value as never, 'maps.json', KNOWN_GATEWAYS);

  it('is taken as it is where nothing is wrong with it', () => {
    expect(parse({ acme: MAPPING })()).toEqual({ acme: MAPPING });
    expect(parse({})()).toEqual({});
  });

  it('is refused with every problem and its place', () => {
    const read = parse({
      litellm: MAPPING,
      'Not A Name': MAPPING,
      acme: { facts: { modle: 'x', model: '' }, units: { time: 'minutes' } },
      other: {},
    });
    for (const place of [
      'maps.json',
      '/litellm is a gateway',
      '/Not A Name is not a name',
      '/acme/facts/modle is not a known member',
      '/acme/facts/model',
      '/acme/units/time',
      '/other/facts is missing',
    ]) {
      expect(read).toThrow(place);
    }
    expect(read).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
    expect(parse([])).toThrow('maps.json');
  });
});
