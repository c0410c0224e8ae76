import { describe, expect, it } from 'vitest';
import type { DraftRecord } from '../../connectors/drafts/source.ts';
import { createNormaliser } from '../../ingest/normalise.ts';
import { sealFacts } from '../../ingest/sealed-facts.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import type { AuditRecord, StatedFacts } from '../../schemas/record.ts';
import { envelope, expandEnvelope, recordedRequests } from '../connectors/sources/recorded.ts';

const surrogates = createSurrogates(new Uint8Array(32).fill(3));
const normalise = createNormaliser({ surrogates });
const REQUESTS = recordedRequests();

function draft(facts: Partial<StatedFacts>, content: DraftRecord['content'] = null): DraftRecord {
  return {
    type: 'event.observed',
    source: 'native',
    natural_key: ['k'],
    claimed_subject: null,
    facts: { source_event: 'x', collector: 'laptop-1', ...facts },
    content,
  };
}

describe('sealFacts', () => {
  it('moves a path that names a person to the content and seals it in the facts', () => {
    const { facts, content } = sealFacts(draft({ file_path: '/home/alice/a' }));
    expect(facts.file_path).toBe('~/a');
    expect(content).toEqual({ stated_paths: { file_path: '/home/alice/a' } });
  });

  it('returns a draft without such a path as it is', () => {
    const one = draft({ file_path: '/etc/passwd', reason: 'rule:user/settings', model: 'org/model' });
    expect(sealFacts(one)).toBe(one);
  });

  it('changes neither the draft nor its content, because items of one body share parts', () => {
    const one = draft({ file_path: '/home/alice/a' }, { tool_input: { file_path: '/home/alice/a' } });
    const before = structuredClone(one);
    expect(sealFacts(one).content).toMatchObject(before.content ?? {});
    expect(one).toEqual(before);
  });

  it.each([
    ['model', '/home/alice/models/x.gguf', '~/models/x.gguf'],
    ['model', 'C:\\Users\\Alice Smith\\models\\x', '~\\models\\x'],
    ['error_type', "EACCES: open '/Users/alice/a' and /home/bob", "EACCES: open '~/a' and ~"],
    ['mcp_server', 'node /mnt/c/Users/alice/server.mjs', 'node ~/server.mjs'],
    ['hook_source', 'C:\\\\Users\\\\alice\\\\hooks', '~\\\\hooks'],
    ['source_event', 'GET /v1/users/{id}', 'GET /v1/users/{id}'],
    ['reason', '/Users/Shared/a', '/Users/Shared/a'],
  ] as const)('takes home folders out of %s: %j is %j', (name, stated, sealed) => {
    const { facts, content } = sealFacts(draft({ [name]: stated }));
    expect(facts[name]).toBe(sealed);
    expect(content).toEqual(stated === sealed ? null : { stated_paths: { [name]: stated } });
  });

  it('takes home folders out of the names in a pointer to a quarantined item', () => {
    const stated = '/files/~1home~1alice~1a~0b/1';
    const { facts, content } = sealFacts(draft({ quarantine_pointer: stated }));
    expect(facts.quarantine_pointer).toBe('/files/~0~1a~0b/1');
    expect(content).toEqual({ stated_paths: { quarantine_pointer: stated } });
  });

  it('leaves what names a person as it is, because that is no fact', () => {
    const one = draft({ claimed_user: '/home/alice' });
    expect(sealFacts(one)).toBe(one);
  });

  it('puts aside a member by which a source could state another path', () => {
    const sent = { stated_paths: { file_path: '/etc/hosts' } };
    expect(sealFacts(draft({}, sent)).content).toEqual({ extensions: sent });
    expect(sealFacts(draft({ file_path: '/home/alice/a' }, sent)).content).toEqual({
      extensions: sent,
      stated_paths: { file_path: '/home/alice/a' },
    });
  });

  it('takes time in proportion to the text', () => {
    const texts = [
      '/home/'.repeat(100_000),
      'C:'.repeat(200_000),
      `/home/${' '.repeat(300_000)}`,
      '\\'.repeat(400_000),
    ];
    const startedMs = performance.now();
    for (const text of texts)
      sealFacts(draft({ model: text, quarantine_pointer: text.replaceAll('/', '~1') }));
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });
});

describe('records of all sources', () => {
  const pathsOf = ({ content }: AuditRecord) => content?.['stated_paths'];

  it.each(REQUESTS.map(({ name, envelope: request }) => [name, request] as const))(
    '%s names nobody in its facts, and keeps every path in the content',
    (_, request) => {
      const drafts = expandEnvelope(request).flatMap((one) => (one.kind === 'draft' ? one.draft : []));
      const stated = drafts.map(({ facts }) => facts.file_path);
      const { records } = normalise(request);
      for (const { facts } of records) expect(JSON.stringify(facts)).not.toMatch(/alice|\/home/i);
      expect(records.map(pathsOf)).toEqual(
        stated.map((file_path) => (file_path === undefined ? undefined : { file_path })),
      );
      expect(records.map(({ id }) => id)).toEqual(
        drafts.map(({ natural_key }) => surrogates.recordId(natural_key)),
      );
    },
  );

  it('name the file of a call alike, whatever source saw the call', () => {
    const seen = new Map<string, { readonly sources: Set<string>; readonly paths: Set<string> }>();
    for (const { envelope: request } of REQUESTS) {
      for (const { source, facts } of normalise(request).records) {
        if (facts.file_path === undefined) continue;
        const call = `${facts.session_id ?? ''} ${facts.tool_use_id ?? ''}`;
        const known = seen.get(call) ?? { sources: new Set(), paths: new Set() };
        known.sources.add(source);
        known.paths.add(facts.file_path);
        seen.set(call, known);
      }
    }
    expect(new Set([...seen.values()].flatMap(({ sources }) => [...sources]))).toEqual(
      new Set(['hook', 'otel', 'transcript', 'gateway']),
    );
    for (const { paths } of seen.values()) expect(paths.size).toBe(1);
  });

  it('keep a path that a sender of events states as a fact alone', () => {
    const [record] = normalise(
      envelope('native', { type: 'a', facts: { file_path: 'C:\\Users\\alice\\a' } }),
    ).records;
    expect(record).toMatchObject({
      facts: { file_path: '~/a' },
      content: { stated_paths: { file_path: 'C:\\Users\\alice\\a' } },
    });
  });

  it('find the project of a hook outside of home folders by its transcript', () => {
    const hook = {
      hook_event_name: 'PreToolUse',
      cwd: '/projects/acme/.claude',
      transcript_path: '/root/.claude/projects/-projects-acme/1.jsonl',
      tool_name: 'Edit',
      tool_input: { file_path: '/projects/acme/.claude/settings.json' },
    };
    const [record] = normalise(envelope('claude-code-hook', hook)).records;
    expect(record?.facts.file_path).toBe('.claude/settings.json');
    expect(record?.content).toMatchObject({ cwd: hook.cwd, transcript_path: hook.transcript_path });
  });
});
