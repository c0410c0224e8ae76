import type { execFile } from 'node:child_process';
import type { LookupAddress } from 'node:dns';
import type { Agent, ClientRequest, RequestOptions } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import { sha256 } from './digest.ts';
import { codeOf } from './error-code.ts';
import type { Settings } from './settings.ts';
import type { HookWorld, Numbered } from './world.ts';

export const NATIVE_PATH = '/v1/events';
/** Where each kind of what is spooled goes. */
export const PATHS = { event: '/v1/hooks/claude-code', native: NATIVE_PATH } as const;
export const TRANSCRIPT_PATH = '/v1/transcripts/claude-code';

interface Delivery {
  /** Identifies the body over retries. */
  readonly name: string;
  readonly type?: string;
  readonly numbered?: Numbered | undefined;
}

export type Collector = ReturnType<typeof openCollector>;
/** What an answer means for the event: it is there, or shall be sent again, or will never be taken. */
type Fate = 'taken' | 'later' | `refused_${number}`;
/** What is known of the collector: one answer is enough, because the time can run out on a long spool too. */
type Hearing = 'untried' | 'silent' | 'answered';

/** One connection to the collector, kept for the events of one call; nothing it does outlasts `remainingMs`. */
export function openCollector(
  { url, token }: Settings,
  { stop, note }: HookWorld,
  remainingMs: () => number,
) {
  let agent: Agent | undefined;
  let hearing: Hearing = 'untried';
  const hasTime = () => url !== undefined && remainingMs() > 0;
  const ask = async (path: string, body: Buffer, { name, type, numbered }: Delivery): Promise<Fate> => {
    if (url === undefined || !hasTime()) return 'later';
    const target = new URL(url + path);
    // Loaded only now: a call that finds another one sending does not need it.
    const http = target.protocol === 'https:' ? await import('node:https') : await import('node:http');
    agent ??= new http.Agent({ keepAlive: true });
    const headers: Record<string, string | number> = {
      'content-type': type ?? 'application/json',
      'content-length': body.length,
      'idempotency-key': sha256(name, body),
    };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    if (numbered !== undefined) {
      headers['affidavit-collector-boot'] = numbered.boot_id;
      headers['affidavit-collector-sequence'] = numbered.sequence;
    }
    const options: RequestOptions = { method: 'POST', headers, agent, signal: stop };
    if (needsLookup(target.hostname)) {
      options.lookup = toLookup((await import('node:child_process')).execFile, remainingMs, stop);
    }
    const request = http.request(target, options);
    request.end(body);
    const status = await answerTo(request, remainingMs());
    if (status !== undefined) hearing = 'answered';
    // Cut short by the end of this process, it is not the collector's silence.
    else if (hearing === 'untried' && !stop.aborted) hearing = 'silent';
    return fateOf(status);
  };
  const post = async (...sent: Parameters<typeof ask>): Promise<Fate> => {
    try {
      return await ask(...sent);
    } catch (error) {
      note(`affidavit hook: the request to the collector cannot be made: ${codeOf(error)}\n`);
      return 'later';
    }
  };
  return {
    hasTime,
    hearing: () => hearing,
    /** Never rejects; without an answer in time the fate is `later`. */
    post,
    isTaken: async (...sent: Parameters<typeof post>) => (await post(...sent)) === 'taken',
    /** Lets go of connections, so that they do not hold the process. */
    close: () => agent?.destroy(),
  };
}

/** Resolves to the status, or undefined if there is none in time. The rest of the answer is let go. */
function answerTo(request: ClientRequest, timeoutMs: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => request.destroy(), Math.max(0, timeoutMs));
    const settle = (status?: number) => {
      clearTimeout(timer);
      resolve(status);
    };
    request.on('error', () => settle()).on('close', () => settle());
    request.on('response', (answer) => {
      answer.on('error', () => undefined).resume();
      settle(answer.statusCode);
    });
  });
}

/** A missing answer, a redirect, a wrong token and a server in trouble can be mended; other refusals are for good. */
function fateOf(status = 0): Fate {
  if (status >= 200 && status < 300) return 'taken';
  if (status < 400 || status > 499 || [401, 403, 408, 429].includes(status)) return 'later';
  return `refused_${status}`;
}

const needsLookup = (host: string) => host !== 'localhost' && !host.startsWith('[') && isIP(host) === 0;
const LOOKUP =
  "require('node:dns').lookup(process.argv[1],{all:true},(e,a)=>console.log(JSON.stringify(e?[]:a)))";

/** In a process that can be killed: the system's resolver cannot be interrupted, and no process ends before it. */
function toLookup(run: typeof execFile, remainingMs: () => number, signal: AbortSignal): LookupFunction {
  return (name, { all }, done) => {
    const fail = () => done(new Error('the name of the collector does not resolve'), '');
    // The time left has fractions, and Node takes whole milliseconds only.
    const timeout = Math.max(1, Math.floor(remainingMs()));
    try {
      const limits = { timeout, killSignal: 'SIGKILL', signal } as const;
      run(process.execPath, ['-e', LOOKUP, name], limits, (error, stdout) => {
        const found = error === null ? toAddresses(stdout) : [];
        const [first] = found;
        if (first === undefined) fail();
        else if (all === true) done(null, found);
        else done(null, first.address, first.family);
      });
    } catch {
      // Node throws where the system has no memory for another process.
      fail();
    }
  };
}

/** Empty where the process printed something else: a preload of the environment can print before it. */
function toAddresses(text: string): LookupAddress[] {
  try {
    return JSON.parse(text) as LookupAddress[];
  } catch {
    return [];
  }
}
