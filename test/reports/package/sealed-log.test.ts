import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PART_KINDS } from '../../../schemas/bundle.ts';
import { readSealedLog } from '../../../reports/package/sealed-log.ts';
import type { RecordRow } from '../../../store/records/record-store.ts';
import { createTestSigner } from '../../support/ledger.ts';
import { auditRecord, sealedRows } from '../../support/sealed-rows.ts';
import { openTestStore, publishedBy, type TestStore } from '../support.ts';

const RECORDS = Array.from({ length: 700 }, (_, n) =>
  auditRecord(`r${n}`, {
    type: 'tool.measured',
    subject: n % 2 === 0 ? null : 'ab'.repeat(16),
    facts: {
      session_id: `s${n % 7}`,
      occurred_at: '2026-03-01T09:59:59.123456789Z',
      success: n % 3 === 0,
      ...(n % 4 === 0 ? {} : { duration_ms: n, synthetic: false }),
      ...(n % 8 === 0 ? {} : { claimed_user: `person-${n % 3}@example.com` }),
      told: 'denied',
      ...(n % 2 === 0 ? {} : { claimed_user: `person-${n % 9}@example.com` }),
      file_path: 'a "quoted"\n päth/\u{1F600}',
      cost_usd_micros: Number.MAX_SAFE_INTEGER,
    },
    content: n % 5 === 0 ? null : { text: `x ${n} "q" \n é` },
  }),
);
const ROWS = sealedRows(RECORDS);
const CHANGED = 321;

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const nextInBase64Url = (letter: string) => BASE64URL[BASE64URL.indexOf(letter) + 1]!;

describe('the record store held against the signed log', () => {
  let store: TestStore;
  const signer = createTestSigner('log.test.example/p0');

  beforeAll(async () => {
    store = await openTestStore();
  });
  afterAll(() => store.dispose());

  async function check(rows: readonly RecordRow[], size = ROWS.length): Promise<string> {
    await store.clear();
    await store.insert('p0', rows, 'bundle');
    const published = await publishedBy(signer, ROWS.slice(0, size));
    const checkpoint = (await published.checkpoint())!;
    const tree = await readSealedLog(store, 'p0', checkpoint, new AbortController().signal);
    return Buffer.from(tree.root).toString('hex');
  }
  const withRow = (change: Partial<RecordRow>) =>
    ROWS.map((row) => (row.leaf_index === CHANGED ? { ...row, ...change } : row));

  it('accepts rows that are what was sealed, and yields the signed root', async () => {
    const published = await publishedBy(signer, ROWS);
    expect(await check(ROWS)).toBe((await published.checkpoint())!.root_hash);
  });

  it('accepts a store that has grown beyond the checkpoint', async () => {
    const published = await publishedBy(signer, ROWS.slice(0, 300));
    expect(await check(ROWS, 300)).toBe((await published.checkpoint())!.root_hash);
  });

  it('accepts content that was taken away', async () => {
    await expect(check(withRow({ content: '', content_secret: '' }))).resolves.toBeTypeOf('string');
  });

  it('accepts an instant that the column cannot hold and the facts keep', async () => {
    const rows = sealedRows([auditRecord('r', { facts: { occurred_at: '9999-02-30T00:00:00Z' } })]);
    await store.clear();
    await store.insert('p0', rows, 'bundle');
    const checkpoint = (await (await publishedBy(signer, rows)).checkpoint())!;
    const tree = await readSealedLog(store, 'p0', checkpoint, new AbortController().signal);
    expect(tree.size).toBe(1);
  });

  it('names a row whose instant was emptied, though the column could hold it', async () => {
    const emptied = Object.fromEntries(
      Object.entries(ROWS[CHANGED]!).filter(([name]) => name !== 'occurred_at'),
    ) as unknown as RecordRow;
    const rows = ROWS.with(CHANGED, emptied);
    await expect(check(rows)).rejects.toMatchObject({
      code: 'STORE_DIVERGED',
      detail: expect.stringContaining('occurred_at') as string,
    });
  });

  const other = ROWS[100]!;
  it.each<[string, Partial<RecordRow>]>([
    ['facts', { facts_digest: other.facts_digest }],
    ['person', { person_digest: other.facts_digest }],
    ['content', { content_digest: other.facts_digest }],
    ['the leaf', { content: '', content_secret: '', content_digest: '' }],
    ['the leaf', { chain_hash: other.chain_hash }],
    ['facts', { facts: ROWS[CHANGED]!.facts.replace('denied', 'failed') }],
    ['facts', { facts_secret: 'A'.repeat(43) }],
    ['facts', { facts_secret: '!!!!' }],
    ['facts', { facts_secret: '' }],
    ['person', { person: '{"claimed_user":"other"}' }],
    ['person', { person: '', person_secret: '' }],
    ['person', { person_secret: 'A'.repeat(43) }],
    ['content', { content: '{"text":"other"}' }],
    ['the leaf', { id: other.id }],
    ['the leaf', { type: 'tool.decided' }],
    ['the leaf', { source: 'otel' }],
    ['the leaf', { principal: 'c-0002' }],
    ['the leaf', { subject: '' }],
    ['the leaf', { retention_class: 'file' }],
    ['the leaf', { received_at: '2026-03-01T10:00:00.001Z' }],
    ['occurred_at', { occurred_at: '2026-03-01T09:59:59.123456788Z' }],
    ['a column of the facts', { session_id: 's-other' }],
    ['a column of the facts', { decision: 'accept' }],
    ['a column of the facts', { success: false }],
    ['a column of the facts', { duration_ms: 0 }],
    ['a column of the facts', { event_sequence: 0 }],
    ['a column of the facts', { synthetic: true }],
  ])('names %s when a row is changed to %j', async (what, change) => {
    await expect(check(withRow(change))).rejects.toMatchObject({
      code: 'STORE_DIVERGED',
      detail: `${what} of record ${CHANGED} in log p0 is not what was sealed`,
      place: String(CHANGED),
    });
  });

  /** Texts that a lenient reader takes for the secret: HMAC pads a key with zeros, and a decoder may pass over the rest. */
  const respelled: readonly [string, (secret: string) => string][] = [
    ['padding', (secret) => `${secret}=`],
    ['a newline', (secret) => `${secret}\n`],
    ['a zero byte', (secret) => Buffer.from(`${secret}AA`, 'base64url').toString('base64url')],
    ['an emptied secret', () => ''],
    ['low bits that no byte holds', (secret) => secret.slice(0, -1) + nextInBase64Url(secret.slice(-1))],
  ];
  it.each(PART_KINDS.flatMap((kind) => respelled.map(([what, change]) => [kind, what, change] as const)))(
    'names %s when its secret is written in another way: %s',
    async (kind, _, change) => {
      const secret = `${kind}_secret` as const;
      await expect(check(withRow({ [secret]: change(ROWS[CHANGED]![secret]) }))).rejects.toMatchObject({
        code: 'STORE_DIVERGED',
        detail: `${kind} of record ${CHANGED} in log p0 is not what was sealed`,
      });
    },
  );

  it.each<[string, number, Partial<RecordRow>]>([
    ['person', ROWS.findIndex(({ person }) => person === ''), { person_secret: 'A'.repeat(43) }],
    ['content', ROWS.findIndex(({ content }) => content === ''), { content_secret: 'A'.repeat(43) }],
    ['content', CHANGED, { content: '', content_secret: `${ROWS[CHANGED]!.content_secret}=` }],
  ])(
    'names %s when a part that is not in the row has a secret there: record %i',
    async (what, at, change) => {
      const rows = ROWS.with(at, { ...ROWS[at]!, ...change });
      await expect(check(rows)).rejects.toMatchObject({
        code: 'STORE_DIVERGED',
        detail: `${what} of record ${at} in log p0 is not what was sealed`,
      });
    },
  );

  it('names the first of several changed rows', async () => {
    const rows = ROWS.map((row) => (row.leaf_index < 50 ? row : { ...row, reason: 'edited' }));
    await expect(check(rows)).rejects.toMatchObject({ place: '50' });
  });

  it('names the first missing row', async () => {
    await expect(check(ROWS.slice(0, 500))).rejects.toMatchObject({ code: 'STORE_DIVERGED', place: '500' });
  });

  it('names a row that is missing in the middle, and not the one behind it', async () => {
    const hashes = ROWS.filter(({ leaf_index }) => leaf_index !== CHANGED);
    const read = ({ name }: { readonly name: string }) =>
      Promise.resolve(name === 'leaf_hashes' ? hashes : []);
    const checkpoint = (await (await publishedBy(signer, ROWS)).checkpoint())!;
    const lacking = { ...store, read } as TestStore;
    await expect(
      readSealedLog(lacking, 'p0', checkpoint, new AbortController().signal),
    ).rejects.toMatchObject({
      detail: `record ${CHANGED} of log p0 is missing or doubled`,
      place: String(CHANGED),
    });
  });

  it('refuses rows that are whole and are not the log that was signed', async () => {
    const foreign = sealedRows(RECORDS.map((record) => ({ ...record, principal: 'c-0009' })));
    await expect(check(foreign)).rejects.toMatchObject({
      code: 'STORE_DIVERGED',
      detail: 'the leaves of log p0 below 700 do not lead to the signed root',
    });
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    const checkpoint = (await (await publishedBy(signer, ROWS)).checkpoint())!;
    await expect(readSealedLog(store, 'p0', checkpoint, stop.signal)).rejects.toThrow('stopped');
  });
});
