import type { execFile } from 'node:child_process';
import type { LookupAddress } from 'node:dns';
import type { Agent, ClientRequest, RequestOptions } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import { sha256 } from './digest.ts';
import { codeOf } from './error-code.ts';
import type { Settings } from './settings.ts';
import type { HookWorld, Numbered } from './world.ts';

export const NATIVE_PATH = '/v1/events';
/** The route for each kind of spooled entry. */
export const PATHS = { event: '/v1/hooks/claude-code', native: NATIVE_PATH } as const;
export const TRANSCRIPT_PATH = '/v1/transcripts/claude-code';

interface Delivery {
  /** Identifies the body over retries. */
  readonly name: string;
  readonly type?: string;
  readonly numbered?: Numbered | undefined;
}

/**
 * Result of one delivery: the collector has the event, the client sends it again, or the collector will never take it.
 */
type DeliveryResult = 'accepted' | 'retry' | `refused_${number}`;
/**
 * Whether the collector has answered in this call. One answer settles it: on a long spool the time can run out later.
 */
type Contact = 'untried' | 'silent' | 'answered';

/** One connection to the collector, kept for all deliveries of one call. No request outlasts `remainingMs`. */
export class Collector {
  readonly #url: string | undefined;
  readonly #token: string | undefined;
  readonly #world: Pick<HookWorld, 'stop' | 'note'>;
  readonly #remainingMs: () => number;
  #agent: Agent | undefined;
  #contact: Contact = 'untried';

  constructor({ url, token }: Settings, world: HookWorld, remainingMs: () => number) {
    this.#url = url;
    this.#token = token;
    this.#world = world;
    this.#remainingMs = remainingMs;
  }

  get contact(): Contact {
    return this.#contact;
  }

  hasTime(): boolean {
    return this.#url !== undefined && this.#remainingMs() > 0;
  }

  /** Never rejects; without an answer in time the result is `retry`. */
  async post(path: string, body: Buffer, delivery: Delivery): Promise<DeliveryResult> {
    try {
      return await this.#request(path, body, delivery);
    } catch (error) {
      this.#world.note(`affidavit hook: the request to the collector cannot be made: ${codeOf(error)}\n`);
      return 'retry';
    }
  }

  async isAccepted(path: string, body: Buffer, delivery: Delivery): Promise<boolean> {
    return (await this.post(path, body, delivery)) === 'accepted';
  }

  /** Closes the connections, so that they do not keep the process alive. */
  close(): void {
    this.#agent?.destroy();
  }

  async #request(path: string, body: Buffer, delivery: Delivery): Promise<DeliveryResult> {
    if (this.#url === undefined || !this.hasTime()) return 'retry';
    const { stop } = this.#world;
    const target = new URL(this.#url + path);
    // Loaded only now: a call that leaves sending to another process does not need it.
    const http = target.protocol === 'https:' ? await import('node:https') : await import('node:http');
    this.#agent ??= new http.Agent({ keepAlive: true });
    const options: RequestOptions = {
      method: 'POST',
      headers: this.#headers(body, delivery),
      agent: this.#agent,
      signal: stop,
    };
    if (needsLookup(target.hostname)) {
      options.lookup = toLookup((await import('node:child_process')).execFile, this.#remainingMs, stop);
    }
    const request = http.request(target, options);
    request.end(body);
    const status = await answerTo(request, this.#remainingMs());
    if (status !== undefined) this.#contact = 'answered';
    // A request that the end of this process cut short does not count as silence of the collector.
    else if (this.#contact === 'untried' && !stop.aborted) this.#contact = 'silent';
    return resultOf(status);
  }

  #headers(body: Buffer, { name, type, numbered }: Delivery): Record<string, string | number> {
    const headers: Record<string, string | number> = {
      'content-type': type ?? 'application/json',
      'content-length': body.length,
      'idempotency-key': sha256(name, body),
    };
    if (this.#token !== undefined) headers['authorization'] = `Bearer ${this.#token}`;
    if (numbered !== undefined) {
      headers['affidavit-collector-boot'] = numbered.boot_id;
      headers['affidavit-collector-sequence'] = numbered.sequence;
    }
    return headers;
  }
}

/** Resolves to the status, or undefined if none arrives in time. The rest of the answer is discarded. */
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

/** A missing answer, a redirect, a wrong token and a failing server are retried; other refusals are final. */
function resultOf(status = 0): DeliveryResult {
  if (status >= 200 && status < 300) return 'accepted';
  if (status < 400 || status > 499 || [401, 403, 408, 429].includes(status)) return 'retry';
  return `refused_${status}`;
}

const needsLookup = (host: string) => host !== 'localhost' && !host.startsWith('[') && isIP(host) === 0;
const LOOKUP =
  "require('node:dns').lookup(process.argv[1],{all:true},(e,a)=>console.log(JSON.stringify(e?[]:a)))";

/**
 * Resolves names in a separate process, which can be killed. The system's resolver cannot be interrupted, and a process
 * does not end before its resolver does.
 */
function toLookup(run: typeof execFile, remainingMs: () => number, signal: AbortSignal): LookupFunction {
  return (name, { all }, done) => {
    const fail = () => done(new Error('the name of the collector does not resolve'), '');
    // The time left has fractions, and Node accepts only whole milliseconds.
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
      // Node throws if the system has no memory for another process.
      fail();
    }
  };
}

/** Empty if the process printed anything else: a module that the environment preloads can print first. */
function toAddresses(text: string): LookupAddress[] {
  try {
    return JSON.parse(text) as LookupAddress[];
  } catch {
    return [];
  }
}
