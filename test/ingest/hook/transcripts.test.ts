import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  callHook,
  openInput,
  runHook,
  startHook,
  startStandIn,
  type StandIn,
} from '../../support/hook-client.ts';
import { COLLECTOR_TOKEN, makeTempDir } from '../../support/server.ts';

const MEBIBYTE = 1024 * 1024;
const NOBODY = 'http://127.0.0.1:9';
const ROUTE = '/v1/transcripts/claude-code';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let collector: StandIn;
const home = () => join(folder.path, 'home');
const spool = () => join(folder.path, 'spool');
const main = () => join(home(), 'session.jsonl');

beforeEach(async () => {
  folder = await makeTempDir();
  mkdirSync(home());
  collector = await startStandIn();
});
afterEach(async () => {
  vi.useRealTimers();
  await collector.close();
  await folder.remove();
});

const line = (uuid: string, more: object = {}) => `${JSON.stringify({ type: 'user', uuid, ...more })}\n`;
const lines = (...uuids: string[]) => uuids.map((uuid) => line(uuid)).join('');
const eventOf = (name: string, more: object = { transcript_path: main() }) =>
  JSON.stringify({ session_id: 's', hook_event_name: name, ...more });
const argsTo = (url: string, ...more: string[]) => [
  ...['--url', url, '--spool', spool(), '--transcripts', '--transcript-root', home()],
  ...more,
];
const call = (event: string, ...more: string[]) =>
  callHook(openInput(event), argsTo(collector.url, '--timeout', '60000', ...more));
const stop = () => call(eventOf('Stop'));
const pieces = () => collector.deliveries.filter(({ path }) => path === ROUTE);
const sent = () => pieces().map(({ body }) => body);
const uuids = (bodies: readonly string[]) =>
  [...bodies.join('').matchAll(/"uuid":"([^"]*)"/g)].map(([, uuid]) => uuid);
const lossReasons = () => readdirSync(join(spool(), 'lost')).sort();

describe('transcripts', () => {
  it('are not read unless that is asked for', async () => {
    writeFileSync(main(), lines('a'));
    await callHook(openInput(eventOf('Stop')), ['--url', collector.url, '--spool', spool()]);
    expect(collector.deliveries.map(({ path }) => path)).toEqual(['/v1/hooks/claude-code']);
  });

  it.each(['Stop', 'SessionEnd'])('go after the event at %s, with token, type and key', async (name) => {
    writeFileSync(main(), lines('a', 'b'));
    expect(await runHook(eventOf(name), argsTo(collector.url))).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(collector.deliveries.map(({ path }) => path)).toEqual(['/v1/hooks/claude-code', ROUTE]);
    expect(sent()).toEqual([lines('a', 'b')]);
    expect(pieces()[0]!.headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      authorization: `Bearer ${COLLECTOR_TOKEN}`,
      'idempotency-key': expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    });
  });

  it('of a subagent go with those of its session', async () => {
    const agent = join(home(), 'agent.jsonl');
    writeFileSync(main(), lines('a'));
    writeFileSync(agent, lines('b'));
    await call(eventOf('SubagentStop', { transcript_path: main(), agent_transcript_path: agent }));
    expect(sent()).toEqual([lines('a'), lines('b')]);
  });

  it('are left alone at other events', async () => {
    writeFileSync(main(), lines('a'));
    for (const name of ['SessionStart', 'PreToolUse', 'PostToolUse', 'UserPromptSubmit'])
      await call(eventOf(name));
    await call('{"hook_event_name":"Stop","transcript_path":');
    await call('[]');
    expect(sent()).toEqual([]);
  });

  it('send nothing twice, and only what is new', async () => {
    writeFileSync(main(), lines('a', 'b'));
    await stop();
    await stop();
    appendFileSync(main(), lines('c'));
    await stop();
    expect(sent()).toEqual([lines('a', 'b'), lines('c')]);
  });

  it('leave a last line without newline for the next time', async () => {
    writeFileSync(main(), lines('a') + line('b').trimEnd());
    await stop();
    expect(sent()).toEqual([lines('a')]);
    appendFileSync(main(), '\n');
    await stop();
    expect(sent()).toEqual([lines('a'), lines('b')]);
  });
});

describe('what leaves the machine', () => {
  const OTHERS = [
    ...['system', 'summary', 'attachment', 'progress', 'queue-operation', 'file-history-snapshot', 'result'],
    ...['custom-title', 'ai-title', 'agent-name', 'last-prompt', 'permission-mode', 'mode', 'pr-link', 'tag'],
    ...['User', 'user ', 'users', '', 'saved_hook_context', 'marble-origami-commit', 'worktree-state'],
  ];

  it('are lines of type user and assistant, byte for byte, and no other', async () => {
    const kept = ` {"uuid":"ü","type":"assistant" ,"n":1.0}\r\n`;
    const foreign = OTHERS.map((type) => `${JSON.stringify({ uuid: 'x', type, secret: 'canary' })}\n`);
    const odd = [
      '{"type":["user"],"secret":"canary"}\n',
      '{"message":{"type":"user"},"type":"system","secret":"canary"}\n',
      '{"type":"user","type":"system","secret":"canary"}\n',
      '{"type":null,"secret":"canary"}\n',
    ];
    writeFileSync(main(), [line('a'), ...foreign, ...odd, '\n', '  \n', kept].join(''));
    await stop();
    expect(sent()).toEqual([line('a') + kept]);
    expect(JSON.stringify(collector.deliveries)).not.toContain('canary');
  });

  it('does not hold lines that are no objects with a type, which are counted', async () => {
    writeFileSync(main(), `${line('a')}{"type":"user"\n[]\n"user"\n{"uuid":"no type"}\n${line('b')}`);
    await stop();
    expect(sent()).toEqual([lines('a', 'b')]);
    expect(readFileSync(join(spool(), 'lost', 'transcript_line_invalid'), 'utf8')).toBe('....');
  });

  it('comes in pieces of at most 4 MiB that hold each line once', async () => {
    const all = Array.from({ length: 48 }, (_, index) =>
      line(String(index), { text: 'x'.repeat(MEBIBYTE / 2) }),
    );
    writeFileSync(main(), all.join(''));
    await call(eventOf('Stop'), '--timeout', '60000');
    expect(sent().join('') === all.join('')).toBe(true);
    expect(sent().length).toBe(7);
    expect(Math.max(...sent().map((body) => Buffer.byteLength(body)))).toBeLessThanOrEqual(4 * MEBIBYTE);
  });

  it('leaves out a line that is longer than a piece, and counts it once its end is written', async () => {
    const widest = line('fits', { text: 'x'.repeat(4 * MEBIBYTE - line('fits', { text: '' }).length) });
    expect(Buffer.byteLength(widest)).toBe(4 * MEBIBYTE);
    const tooLong = line('long', { text: 'x'.repeat(9 * MEBIBYTE) });
    writeFileSync(main(), line('a') + widest + tooLong.trimEnd());
    await call(eventOf('Stop'), '--timeout', '60000');
    expect(uuids(sent())).toEqual(['a', 'fits']);
    expect(lossReasons()).toEqual([]);
    appendFileSync(main(), `\n${line('b')}`);
    await call(eventOf('Stop'), '--timeout', '60000');
    expect(sent().slice(2)).toEqual([line('b')]);
    expect(lossReasons()).toEqual(['transcript_line_too_large']);
  });
});

describe('a transcript that changed', () => {
  it.each([
    ['was shortened', () => truncateSync(main(), line('a').length), ['a']],
    ['was rewritten', () => writeFileSync(main(), lines('x', 'y', 'z')), ['x', 'y', 'z']],
    [
      'was put in place of another that it begins like',
      () => {
        writeFileSync(`${main()}.new`, lines('a', 'b', 'c'));
        renameSync(`${main()}.new`, main());
      },
      ['a', 'b', 'c'],
    ],
  ])('is sent from its beginning when it %s', async (_, change, expected) => {
    writeFileSync(main(), lines('a', 'b'));
    await stop();
    change();
    await stop();
    expect(sent()).toEqual([lines('a', 'b'), lines(...expected)]);
  });

  it('is sent from its beginning when its state cannot be read', async () => {
    writeFileSync(main(), lines('a'));
    await stop();
    const state = join(spool(), 'transcripts', readdirSync(join(spool(), 'transcripts'))[0]!);
    for (const broken of ['', '{', '{"path":1}', '{"path":"/x","offset_bytes":-1}']) {
      writeFileSync(state, broken);
      await stop();
    }
    expect(sent()).toEqual(Array.from({ length: 5 }, () => lines('a')));
  });

  it('is counted as lost when it goes before it was sent', async () => {
    writeFileSync(main(), lines('a'));
    await callHook(openInput(eventOf('SessionEnd')), argsTo(NOBODY));
    rmSync(main());
    await call('');
    expect(sent()).toEqual([]);
    expect(lossReasons()).toContain('transcript_gone');
  });

  it('is not a loss when it is removed after it was sent', async () => {
    writeFileSync(main(), lines('a'));
    await stop();
    rmSync(main());
    await call('');
    expect(lossReasons()).toEqual([]);
    expect(readdirSync(join(spool(), 'transcripts'))).toEqual([]);
  });

  it('is forgotten a month after its last change, and so sent again if it goes on', async () => {
    writeFileSync(main(), lines('a'));
    const old = new Date(Date.now() - 31 * 24 * 60 * 60 * 1000);
    utimesSync(main(), old, old);
    await stop();
    expect(readdirSync(join(spool(), 'transcripts'))).toEqual([]);
    expect(sent()).toEqual([lines('a')]);
  });
});

describe('what cannot be sent now', () => {
  it('goes with a later call of any session, also after the last call of its own session', async () => {
    writeFileSync(main(), lines('a'));
    await callHook(openInput(eventOf('SessionEnd')), argsTo(NOBODY));
    rmSync(join(spool(), 'backoff.json'));
    const other = join(home(), 'other.jsonl');
    writeFileSync(other, lines('o'));
    await call(eventOf('Stop', { transcript_path: other }));
    expect(sent()).toEqual([lines('o'), lines('a')]);
  });

  it('goes with a call without input', async () => {
    writeFileSync(main(), lines('a'));
    collector.answer = ({ path }) => (path === ROUTE ? 503 : 200);
    await stop();
    collector.answer = 200;
    await call('');
    expect(sent()).toEqual([lines('a'), lines('a')]);
    const [first, again] = pieces();
    expect(again!.headers['idempotency-key']).toBe(first!.headers['idempotency-key']);
  });

  it('waits while a collector that did not answer is left alone', async () => {
    writeFileSync(main(), lines('a'));
    await callHook(openInput(eventOf('SessionStart')), ['--url', collector.url, '--spool', spool()]);
    const until_ms = Date.now() + 10_000;
    const digest = createHash('sha256').update(collector.url).digest('hex');
    writeFileSync(
      join(spool(), 'backoff.json'),
      JSON.stringify({ collector: digest, length_ms: 10_000, until_ms }),
    );
    await stop();
    expect(sent()).toEqual([]);
    rmSync(join(spool(), 'backoff.json'));
    await stop();
    expect(sent()).toEqual([lines('a')]);
  });

  it('begins a back-off window when there was nothing else to hear from the collector', async () => {
    writeFileSync(main(), lines('a'));
    collector.answer = ({ path }) => (path === ROUTE ? 503 : 200);
    await stop();
    await callHook(openInput(''), argsTo(NOBODY));
    expect(existsSync(join(spool(), 'backoff.json'))).toBe(true);
  });

  it.each([404, 405])('stays where the collector has no route for it (%i)', async (status) => {
    writeFileSync(main(), lines('a'));
    collector.answer = ({ path }) => (path === ROUTE ? status : 200);
    await stop();
    collector.answer = 200;
    await stop();
    expect(sent()).toEqual([lines('a'), lines('a')]);
    expect(lossReasons()).toEqual([]);
  });

  it('is sent in halves where it is refused, until what is refused stands alone and is counted', async () => {
    writeFileSync(main(), lines('a', 'b', 'bad', 'c', 'd'));
    collector.answer = ({ body, path }) => (path === ROUTE && body.includes('"bad"') ? 400 : 200);
    await stop();
    await stop();
    const taken = sent().filter((body) => !body.includes('"bad"'));
    expect(taken.join('')).toBe(lines('a', 'b', 'c', 'd'));
    expect(readFileSync(join(spool(), 'lost', 'transcript_refused_400'), 'utf8')).toBe('.');
  });

  it('is what did not fit into the limit', async () => {
    const all = Array.from({ length: 12 }, (_, index) => line(String(index), { text: 'x'.repeat(MEBIBYTE) }));
    writeFileSync(main(), all.join(''));
    // Each delivery takes 15 s of the 51.
    const elapsedMs = () => collector.deliveries.length * 15_000;
    await callHook(openInput(eventOf('Stop')), argsTo(collector.url, '--timeout', '60000'), { elapsedMs });
    expect(uuids(sent())).toEqual(Array.from({ length: 9 }, (_, index) => String(index)));
    await call('', '--timeout', '60000');
    expect(uuids(sent())).toEqual(Array.from({ length: 12 }, (_, index) => String(index)));
  });

  it('waits for another process that sends, and is left to later calls if that takes too long', async () => {
    writeFileSync(main(), lines('a'));
    mkdirSync(join(spool(), 'transcripts'), { recursive: true, mode: 0o700 });
    const lock = join(spool(), 'transcripts', 'lock');
    symlinkSync(`${hostname()}:${process.pid}:other`, lock);
    await call(eventOf('Stop'), '--timeout', '300');
    expect(sent()).toEqual([]);
    const waits = call(eventOf('Stop'), '--timeout', '60000');
    setTimeout(() => rmSync(lock), 50);
    await waits;
    expect(sent()).toEqual([lines('a')]);
  });
});

describe('a client that is killed while it sends transcripts', () => {
  it('goes on behind what was acknowledged', async () => {
    const all = Array.from({ length: 12 }, (_, index) => line(String(index), { text: 'x'.repeat(MEBIBYTE) }));
    writeFileSync(main(), all.join(''));
    collector.answer = ({ path }) => (path === ROUTE && pieces().length === 2 ? 'hang' : 200);
    const child = startHook(argsTo(collector.url, '--timeout', '60000'));
    child.stdin!.end(eventOf('Stop'));
    await vi.waitUntil(() => pieces().length === 2, { timeout: 20_000 });
    child.kill('SIGKILL');
    await once(child, 'close');
    collector.answer = 200;
    await call('', '--timeout', '60000');
    const [first, cut, again, ...rest] = pieces();
    expect(again!.headers['idempotency-key']).toBe(cut!.headers['idempotency-key']);
    expect(uuids([first!, again!, ...rest].map(({ body }) => body))).toEqual(uuids([all.join('')]));
  });
});
