import { describe, expect, it, vi } from 'vitest';
import { MAX_FINDING_POINTERS_LENGTH, MAX_FINDINGS } from '../../ingest/findings.ts';
import { createLabeller } from '../../ingest/label.ts';
import { createNormaliser } from '../../ingest/normalise.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { envelope, recordedRequests } from '../connectors/sources/recorded.ts';

const FACTS = { source_event: 'x', collector: 'c' };
const classify = createLabeller();
const MARK = '[secret:github_token:0123456789abcdef]';
const label = (content: JsonObject | null, isRedacted = false) =>
  classify({ facts: FACTS, content, isRedacted });

describe('classify', () => {
  it('says nothing of content without data about people, and leaves it the same object', () => {
    const content = { tool_input: { command: 'ls -l', 'n/a': [1, true, null, 'v1.2.3'] } };
    expect(label(content)).toEqual({ content, data_classes: [] });
    expect(label(content).content).toBe(content);
    expect(label(null)).toEqual({ content: null, data_classes: [] });
  });

  it('names types once and in order, and each place by pointer and offsets in UTF-16', () => {
    const content = { 'a/b~c': ['😀 jane@example.com', { ssn: '219-09-9999, max@example.com' }] };
    expect(label(content)).toEqual({
      data_classes: ['email', 'us_ssn'],
      content: {
        ...content,
        data_findings: [
          { type: 'email', pointer: '/a~1b~0c/0', start: 3, end: 19 },
          { type: 'us_ssn', pointer: '/a~1b~0c/1/ssn', start: 0, end: 11 },
          { type: 'email', pointer: '/a~1b~0c/1/ssn', start: 13, end: 28 },
        ],
      },
    });
  });

  it('knows a value by the name of its member', () => {
    const { data_classes } = label({
      patient_name: 'Jane Roe',
      date_of_birth: '1980-02-01',
      version: '1980-02-01',
    });
    expect(data_classes).toEqual(['date_of_birth', 'person_name']);
  });

  it('finds what stands in the name of a member', () => {
    expect(label({ list: { 'jane@example.com': 1 } }).content?.['data_findings']).toEqual([
      { type: 'email', pointer: '/list/jane@example.com', start: 0, end: 16, of: 'name' },
    ]);
  });

  it('lists so many findings and counts the others', () => {
    const text = 'jane@example.com '.repeat(MAX_FINDINGS + 5);
    const { content } = label({ text });
    expect(content?.['data_findings']).toHaveLength(MAX_FINDINGS);
    expect(content?.['data_findings_omitted']).toBe(5);
  });

  it('cuts a long name in the pointers of what is found below it', () => {
    const { content } = label({ ['k'.repeat(600_000)]: ['jane@example.com'] });
    expect(content?.['data_findings']).toEqual([
      { type: 'email', pointer: `/${'k'.repeat(200)}/0`, start: 0, end: 16 },
    ]);
  });

  it('lists findings up to the bound of their pointers, and counts the others', () => {
    let nested: JsonObject = { text: 'jane@example.com '.repeat(MAX_FINDINGS) };
    for (let depth = 0; depth < 40; depth += 1) nested = { ['n'.repeat(200)]: nested };
    const { content } = label(nested);
    const listed = content?.['data_findings'] as { pointer: string }[];
    const length = listed.reduce((sum, { pointer }) => sum + pointer.length, 0);
    expect(length).toBeLessThanOrEqual(MAX_FINDING_POINTERS_LENGTH);
    expect(length).toBeGreaterThan(MAX_FINDING_POINTERS_LENGTH / 2);
    expect(content?.['data_findings_omitted']).toBe(MAX_FINDINGS - listed.length);
  });

  it('lists the findings of a shared member as if the record had been searched at once', () => {
    const many = 'jane@example.com '.repeat(MAX_FINDINGS - 1);
    const contents = [
      { text: 'max@example.com', resource: { many } },
      { resource: { many: `${many}${many}` }, text: 'max@example.com' },
    ];
    for (const { resource, ...rest } of contents) {
      // The names have one length, so the two are searched alike but for the sharing.
      const apart = JSON.stringify(label({ ...rest, resource })).replaceAll('resource', 'resourcE');
      const order = Object.hasOwn(rest, 'text') ? { ...rest, resourcE: resource } : rest;
      expect(apart).toBe(JSON.stringify(label(order)));
    }
  });

  it('searches a shared member once, whether something is found in it or not', () => {
    const search = vi.spyOn(String.prototype, 'includes');
    const resource = { attributes: { owner: 'jane@example.com '.repeat(50) } };
    const first = classify({ facts: FACTS, content: { resource }, isRedacted: true });
    const searches = search.mock.calls.length;
    const again = classify({ facts: FACTS, content: { resource }, isRedacted: true });
    expect(search.mock.calls.length).toBe(searches);
    search.mockRestore();
    expect(again).toEqual(first);
  });

  it('reads what records share once, and finds in it what there is each time', () => {
    const clean = { attributes: { 'host.name': 'build-1' } };
    const dirty = { attributes: { owner: 'jane@example.com' } };
    const classes = [clean, clean, dirty, dirty, clean].map((resource) => label({ resource }).data_classes);
    expect(classes).toEqual([[], [], ['email'], ['email'], []]);
  });

  it('counts marks only of a body from which a receiver took secrets', () => {
    const content = { text: `see ${MARK}` };
    expect(label(content).data_classes).toEqual([]);
    expect(label(content, true)).toEqual({
      data_classes: ['github_token'],
      content: { ...content, data_findings: [{ type: 'github_token', pointer: '/text', start: 4, end: 42 }] },
    });
    expect(label({ text: MARK.replace('github', 'made_up') }, true).data_classes).toEqual([]);
  });

  it('counts a mark in a fact', () => {
    const facts = { ...FACTS, file_path: `/tmp/${MARK}` };
    expect(classify({ facts, content: null, isRedacted: true }).data_classes).toEqual(['github_token']);
  });

  it('leaves a claimed person in the facts without a word', () => {
    const facts = { ...FACTS, claimed_user: 'alice@example.com' };
    expect(classify({ facts, content: null, isRedacted: false }).data_classes).toEqual([]);
  });

  it('takes over what a sender says of its data, as far as the type is known', () => {
    const facts = { ...FACTS, data_classes: ['iban', 'nonsense'] };
    expect(classify({ facts, content: null, isRedacted: false }).data_classes).toEqual(['iban']);
  });

  it.each<[string, JsonObject, JsonObject]>([
    ['alone', {}, { data_findings: 'theirs' }],
    ['beside others', { extensions: { a: 1 } }, { a: 1, data_findings: 'theirs' }],
    [
      'where that name is taken',
      { extensions: { data_findings: 1 } },
      { content: { data_findings: 1 }, event: { data_findings: 'theirs' } },
    ],
  ])('sets findings of a sender aside under extensions, %s', (_, more, extensions) => {
    const { content } = label({ data_findings: 'theirs', text: 'jane@example.com', ...more });
    expect(content).toEqual({
      text: 'jane@example.com',
      extensions,
      data_findings: [{ type: 'email', pointer: '/text', start: 0, end: 16 }],
    });
  });
});

describe('records', () => {
  const normalise = createNormaliser({
    surrogates: createSurrogates(new Uint8Array(32).fill(3)),
  });

  it('carry the classes of their content as a fact, and none where there are none', () => {
    const { records } = normalise(
      envelope('native', [{ type: 'a', content: { t: 'jane@example.com' } }, { type: 'b' }]),
    );
    expect(records.map(({ facts }) => facts.data_classes)).toEqual([['email'], undefined]);
    expect(records[1]?.facts).not.toHaveProperty('data_classes');
  });

  it('of the quarantine carry the classes of their bytes', () => {
    const body = '{"hook_event_name":"Stop","n":1,"n":2,"t":"jane@example.com"}';
    const { records } = normalise(envelope('claude-code-hook', body));
    expect(records[0]).toMatchObject({ type: 'quarantined', facts: { data_classes: ['email'] } });
    expect(records[0]?.content).not.toHaveProperty('data_findings');
  });

  it('keep their ids whatever is found in them', () => {
    const sent = envelope('native', { type: 'a', content: { t: 'jane@example.com' } });
    const redacted = { ...sent, redacted: { count: 1, types: ['jwt'] } };
    expect(normalise(redacted).records[0]?.id).toBe(normalise(sent).records[0]?.id);
  });

  it('of the recordings hold what was put in them, and nothing else', () => {
    const byRecording = new Map<string, Set<string>>();
    for (const { recording, envelope: request } of recordedRequests()) {
      for (const { facts } of normalise(request).records) {
        const known = byRecording.get(recording) ?? new Set();
        byRecording.set(recording, known);
        for (const type of facts.data_classes ?? []) known.add(type);
      }
    }
    const found = [...byRecording].map(([name, types]) => [name, [...types].sort()]);
    expect(Object.fromEntries(found.filter(([, types]) => types?.length !== 0))).toEqual({
      personal: ['email', 'medical_record_number', 'payment_card', 'phone', 'us_ssn'],
    });
  });
});
