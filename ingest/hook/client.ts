/**
 * The hook client: one event on standard input → a file in the spool → the collector. An agent waits for it, so it
 * is bounded in time; its compiled file stands alone, so it imports nothing but the platform.
 * Invariant: an event is in the spool before it is sent and leaves it only when the collector has answered for it.
 */
import type { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { LookupAddress } from 'node:dns';
import * as fs from 'node:fs';
import type { Agent, ClientRequest, RequestOptions } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import { homedir, hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bounds, Entry, HookWorld, LossReason, LossState } from './world.ts';

const EVENT_PATH = '/v1/hooks/claude-code';
const NATIVE_PATH = '/v1/events';
const LIMIT_MS = { preset: 2000, min: 200, max: 60_000 } as const;
const MEBIBYTE = 1024 * 1024;
const BOUNDS: Bounds = { maxBytes: 64 * MEBIBYTE, maxFiles: 10_000 };
/** Far above what a collector takes; bounds the memory of the client. */
const MAX_EVENT_BYTES = 64 * MEBIBYTE;
/** Twice the longest life of a client: a lock or an unfinished file that is older has no owner. */
const ABANDONED_MS = 2 * LIMIT_MS.max;
const ENTRY_NAME = /^([0-9]{15})-([0-9]{6})-[0-9]+-[0-9a-f]{8}-([0-9]+)\.json$/;
const PARTIAL = '.part';
const LOSS_STATE = 'state.json';

const USAGE = `Usage: affidavit hook [options]

Reads one hook event of a coding agent on standard input and delivers it to the collector. While the collector is
away, events wait in a spool folder and are sent in order by later calls. Prints nothing; exits with 0.

  --url <url>           collector, like http://127.0.0.1:4318 (also AFFIDAVIT_HOOK_URL)
  --token-file <file>   file that holds the token (otherwise AFFIDAVIT_COLLECTOR_TOKEN)
  --spool <dir>         spool folder (default: one per collector below ~/.local/state/affidavit/hook)
  --spool-bytes <n>     most bytes the spool holds (default ${BOUNDS.maxBytes})
  --spool-files <n>     most events the spool holds (default ${BOUNDS.maxFiles})
  --timeout <ms>        longest time in all, from ${LIMIT_MS.min} to ${LIMIT_MS.max} (default ${LIMIT_MS.preset})
  --enforce             exit with 2 and a reason if the event was neither delivered nor spooled
`;

/** Handles one event; resolves to the exit code and never rejects. */
export async function runHook(world: HookWorld): Promise<number> {
  let lost: string | undefined;
  try {
    const settings = readSettings(world);
    if (settings === undefined) world.print(USAGE);
    else lost = await handleEvent(settings, world);
  } catch (error) {
    lost = codeOf(error);
  }
  if (lost === undefined) return 0;
  world.note(`affidavit hook: the event was neither delivered nor spooled: ${lost}\n`);
  return world.argv.includes('--enforce') ? 2 : 0;
}

type Settings = NonNullable<ReturnType<typeof readSettings>>;

/** undefined if help was asked for. What is wrong with an option is said, and its default taken: an agent waits. */
function readSettings({ argv, env, note }: HookWorld) {
  const names = ['url', 'token-file', 'spool', 'spool-bytes', 'spool-files', 'timeout'];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true });
  if (values['help'] === true) return undefined;
  if (Object.keys(values).some((name) => name !== 'enforce' && !names.includes(name))) {
    note('affidavit hook: unknown option, see --help\n');
  }
  const textOf = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const countOf = (name: string, preset: number): number => {
    const text = textOf(name) ?? String(preset);
    if (/^[0-9]{1,15}$/.test(text)) return Number(text);
    note(`affidavit hook: --${name} takes a number\n`);
    return preset;
  };
  const url = (textOf('url') ?? env['AFFIDAVIT_HOOK_URL'] ?? '').replace(/\/+$/, '');
  const isUsable = /^https?:/.test(url) && URL.canParse(url);
  if (!isUsable) note('affidavit hook: no collector; give --url or AFFIDAVIT_HOOK_URL\n');
  return {
    url: isUsable ? url : undefined,
    token: readToken(textOf('token-file'), note) ?? env['AFFIDAVIT_COLLECTOR_TOKEN'],
    folder: textOf('spool') ?? defaultFolder(url, env['XDG_STATE_HOME'] ?? ''),
    limitMs: Math.min(Math.max(countOf('timeout', LIMIT_MS.preset), LIMIT_MS.min), LIMIT_MS.max),
    maxBytes: countOf('spool-bytes', BOUNDS.maxBytes),
    maxFiles: countOf('spool-files', BOUNDS.maxFiles),
  };
}

function readToken(path: string | undefined, note: HookWorld['note']): string | undefined {
  try {
    return path === undefined ? undefined : fs.readFileSync(path, 'utf8').trim();
  } catch (error) {
    note(`affidavit hook: the token file cannot be read: ${codeOf(error)}\n`);
    return undefined;
  }
}

/** One folder per collector, so that no event goes to another one than it was meant for. */
function defaultFolder(url: string, stateHome: string): string {
  const base = isAbsolute(stateHome) ? stateHome : join(homedir(), '.local', 'state');
  return join(base, 'affidavit', 'hook', sha256(url).slice(0, 16));
}

/** Resolves to why the event is gone, or undefined if it is delivered, spooled, or there was none. */
async function handleEvent(settings: Settings, world: HookWorld): Promise<LossReason | undefined> {
  // A share of the limit is left for writing, and a smaller one for the process to end.
  const remainingMs = (share: number) => settings.limitMs * share - world.elapsedMs();
  const event = await readInput(world, remainingMs(0.75));
  const collector = openCollector(settings, world, () => (world.stop.aborted ? 0 : remainingMs(0.85)));
  try {
    const spool = openSpool(settings, world);
    if (spool !== undefined) return await spoolAndSend(event, spool, collector, world);
    if (event.length === 0 || (await collector.isTaken(EVENT_PATH, event, world.newId()))) return undefined;
    return 'spool_unusable';
  } finally {
    collector.close();
  }
}

/** Without an event it sends what waits. */
async function spoolAndSend(
  event: Buffer,
  spool: Spool,
  collector: Collector,
  world: HookWorld,
): Promise<LossReason | undefined> {
  if (event.length > MAX_EVENT_BYTES) return spool.losses.count('too_large');
  const first = event.length === 0 ? undefined : spool.append(event);
  await drain(spool, collector, world);
  if (event.length === 0) return undefined;
  // What was just sent may have made room.
  const kept = first ?? spool.append(event);
  // Out of order is better than not at all.
  if (kept === undefined && (await collector.isTaken(EVENT_PATH, event, world.newId()))) return undefined;
  if (kept === undefined) return spool.losses.count('spool_full');
  if (first === undefined) await drain(spool, collector, world);
  return spool.refused.get(kept.name);
}

/** All of standard input, or what came of it until the time is up, the process is to end, or it is too much. */
function readInput({ stdin, stop }: HookWorld, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const finish = () => {
      clearTimeout(timer);
      stdin.destroy();
      resolve(Buffer.concat(pieces));
    };
    const timer = setTimeout(finish, Math.max(0, timeoutMs));
    stop.addEventListener('abort', finish);
    stdin.on('error', finish).on('end', finish);
    stdin.on('data', (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size > MAX_EVENT_BYTES || stop.aborted) finish();
    });
  });
}

type Collector = ReturnType<typeof openCollector>;
/** What an answer means for the event: it is there, or shall be sent again, or will never be taken. */
type Fate = 'taken' | 'later' | `refused_${number}`;

function openCollector({ url, token }: Settings, { stop }: HookWorld, remainingMs: () => number) {
  let agent: Agent | undefined;
  const hasTime = () => url !== undefined && remainingMs() > 0;
  const post = async (path: string, body: Buffer, name: string): Promise<Fate> => {
    if (url === undefined || !hasTime()) return 'later';
    const target = new URL(url + path);
    // Loaded only now: a call that finds another one sending does not need it.
    const http = target.protocol === 'https:' ? await import('node:https') : await import('node:http');
    agent ??= new http.Agent({ keepAlive: true });
    const headers: Record<string, string | number> = {
      'content-type': 'application/json',
      'content-length': body.length,
      'idempotency-key': sha256(name, body),
    };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    const options: RequestOptions = { method: 'POST', headers, agent, signal: stop };
    if (needsLookup(target.hostname)) {
      options.lookup = toLookup((await import('node:child_process')).execFile, remainingMs, stop);
    }
    const request = http.request(target, options);
    request.end(body);
    return fateOf(await answerTo(request, remainingMs()));
  };
  return {
    hasTime,
    /** Never rejects; without an answer in time the fate is `later`. The name identifies the body over retries. */
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
    const limits = { timeout: Math.max(1, remainingMs()), killSignal: 'SIGKILL', signal } as const;
    run(process.execPath, ['-e', LOOKUP, name], limits, (error, stdout) => {
      const found = error === null ? (JSON.parse(stdout) as LookupAddress[]) : [];
      const [first] = found;
      if (first === undefined) done(new Error('the name of the collector does not resolve'), '');
      else if (all === true) done(null, found);
      else done(null, first.address, first.family);
    });
  };
}

type Spool = NonNullable<ReturnType<typeof openSpool>>;

/** undefined if the folder cannot be had, or others can reach into it. */
function openSpool({ folder, ...bounds }: Bounds & { readonly folder: string }, world: HookWorld) {
  const path = (name: string) => join(folder, name);
  const refusedFolder = path('refused');
  const refusedBounds = { maxBytes: bounds.maxBytes / 10, maxFiles: bounds.maxFiles / 10 };
  try {
    for (const made of [path('lost'), refusedFolder]) fs.mkdirSync(made, { recursive: true, mode: 0o700 });
    const { uid, mode } = fs.lstatSync(folder);
    if (uid !== process.getuid?.() || (mode & 0o077) !== 0) throw new Error('others can reach into it');
  } catch (error) {
    world.note(`affidavit hook: the spool cannot be used: ${codeOf(error)}\n`);
    return undefined;
  }
  const list = () => toEntries(fs.readdirSync(folder));
  const losses = openLosses(path('lost'), world);
  const refused = new Map<string, LossReason>();
  return {
    lock: path('lock'),
    losses,
    /** What this process found refused, with the reason. */
    refused,
    /** In the order of sending. */
    list,
    /** undefined if another process was quicker. */
    read: ({ name }: Entry) => (fs.existsSync(path(name)) ? fs.readFileSync(path(name)) : undefined),
    remove: ({ name }: Entry) => fs.rmSync(path(name), { force: true }),
    /** Writes one event to stable storage; undefined if that would pass the bounds or the disk does not take it. */
    append(body: Buffer): Entry | undefined {
      const entries = list();
      if (!hasRoom(entries, body.length, bounds)) return undefined;
      const name = nextName(entries.at(-1), body.length, world);
      try {
        writeDurably(folder, name, body);
      } catch (error) {
        world.note(`affidavit hook: the spool cannot be written: ${codeOf(error)}\n`);
        fs.rmSync(path(name + PARTIAL), { force: true });
        return undefined;
      }
      return { name, bytes: body.length };
    },
    /**
     * Takes out what the collector will never take; a tenth of the spool's bounds is kept to be looked at. Counted
     * first: rather twice than not at all.
     */
    refuse({ name, bytes }: Entry, reason: LossReason): void {
      refused.set(name, losses.count(reason));
      if (hasRoom(toEntries(fs.readdirSync(refusedFolder)), bytes, refusedBounds))
        renameIfThere(path(name), join(refusedFolder, name));
      else fs.rmSync(path(name), { force: true });
    },
    /** Completes what a killed client had written, and counts what it had not. */
    recover(): void {
      for (const partial of fs.readdirSync(folder).filter((name) => name.endsWith(PARTIAL))) {
        const [entry] = toEntries([partial.slice(0, -PARTIAL.length)]);
        const found = fs.statSync(path(partial), { throwIfNoEntry: false });
        if (entry === undefined || found === undefined) continue;
        if (found.size === entry.bytes) renameIfThere(path(partial), path(entry.name));
        else if (isAbandoned(found.mtimeMs, world.now())) {
          losses.count('incomplete');
          fs.rmSync(path(partial), { force: true });
        }
      }
    },
  };
}

/** Lost events, in a file per reason of one byte each: appending takes no lock and hardly any room on a full disk. */
function openLosses(folder: string, { now, newId }: HookWorld) {
  const readState = (): LossState => {
    if (!fs.existsSync(join(folder, LOSS_STATE))) return { reported: {}, pending: null };
    return JSON.parse(fs.readFileSync(join(folder, LOSS_STATE), 'utf8')) as LossState;
  };
  const write = (state: LossState) => writeDurably(folder, LOSS_STATE, Buffer.from(JSON.stringify(state)));
  const toEvent = (reason: LossReason, count: number) => ({
    type: 'collector.loss',
    event_id: newId(),
    occurred_at: new Date(now()).toISOString(),
    facts: { reason, metric_name: 'affidavit.hook.lost_events', metric_value: String(count) },
    content: { lost_count: count },
  });
  return {
    /** Counts one lost event, and returns the reason. */
    count(reason: LossReason): LossReason {
      fs.appendFileSync(join(folder, reason), '.', { mode: 0o600 });
      return reason;
    },
    /** Native events, one per reason, of what was lost and not yet told; undefined if there is nothing to tell. */
    takeReport(): string | undefined {
      const { reported, pending } = readState();
      if (pending !== null) return pending;
      const reasons = fs.readdirSync(folder).filter((name) => !name.startsWith(LOSS_STATE));
      const sizes = Object.fromEntries(reasons.map((name) => [name, fs.statSync(join(folder, name)).size]));
      const fresh = reasons
        .map((reason) => [reason, (sizes[reason] ?? 0) - (reported[reason] ?? 0)] as const)
        .filter(([, count]) => count > 0);
      if (fresh.length === 0) return undefined;
      const report = JSON.stringify(fresh.map(([reason, count]) => toEvent(reason, count)));
      write({ reported: sizes, pending: report });
      return report;
    },
    /** The report was acknowledged. */
    settleReport: () => write({ ...readState(), pending: null }),
  };
}

function toEntries(names: readonly string[]): Entry[] {
  const parsed = names.map((name) => ({ name, bytes: Number(ENTRY_NAME.exec(name)?.[3] ?? NaN) }));
  return parsed.filter(({ bytes }) => !Number.isNaN(bytes)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Sorts behind all that is there, also after the clock was set back. */
function nextName(newest: Entry | undefined, bytes: number, { now, newId }: HookWorld): string {
  const [, at = '', counter = ''] = ENTRY_NAME.exec(newest?.name ?? '') ?? [];
  const time = String(now()).padStart(15, '0');
  const order = at >= time ? [at, String(Number(counter) + 1).padStart(6, '0')] : [time, '000000'];
  return `${order.join('-')}-${process.pid}-${newId().slice(0, 8)}-${bytes}.json`;
}

function hasRoom(entries: readonly Entry[], more: number, { maxBytes, maxFiles }: Bounds): boolean {
  return entries.length < maxFiles && entries.reduce((sum, { bytes }) => sum + bytes, more) <= maxBytes;
}

/** There as a whole or not at all, and still there after a power cut. */
function writeDurably(folder: string, name: string, bytes: Buffer): void {
  const partial = join(folder, name + PARTIAL);
  fs.writeFileSync(partial, bytes, { mode: 0o600, flush: true });
  // Gone already if the sender took it for what a killed client left.
  renameIfThere(partial, join(folder, name));
  const directory = fs.openSync(folder, 'r');
  fs.fsyncSync(directory);
  fs.closeSync(directory);
}

function renameIfThere(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/**
 * Sends what the spool holds, oldest first, until it is empty, the time is up or the collector does not take it.
 * One process at a time does so; the others leave their events to it.
 */
async function drain(spool: Spool, collector: Collector, world: HookWorld): Promise<void> {
  try {
    let goesOn = true;
    // Looked at again after the lock is given back: who found it taken has left its event behind.
    while (goesOn) {
      const release = collector.hasTime() ? takeLock(spool.lock, world) : undefined;
      if (release === undefined) return;
      goesOn = (await sendAll(spool, collector).finally(release)) && spool.list().length > 0;
    }
  } catch (error) {
    world.note(`affidavit hook: the spool cannot be sent: ${codeOf(error)}\n`);
  }
}

/** Resolves to whether all was sent. */
async function sendAll(spool: Spool, collector: Collector): Promise<boolean> {
  spool.recover();
  for (let entries = spool.list(); entries.length > 0; entries = spool.list()) {
    for (const entry of entries) {
      const body = spool.read(entry);
      if (body === undefined) continue;
      const fate = await collector.post(EVENT_PATH, body, entry.name);
      if (fate === 'later') return false;
      // Killed before this line, the event is sent again with the same key, and the collector knows it.
      if (fate === 'taken') spool.remove(entry);
      else spool.refuse(entry, fate);
    }
  }
  const report = spool.losses.takeReport();
  if (report === undefined) return true;
  if (!(await collector.isTaken(NATIVE_PATH, Buffer.from(report), ''))) return false;
  spool.losses.settleReport();
  return true;
}

/**
 * Takes the lock and returns how to give it back; undefined if another process has it. The lock is a link that leads
 * nowhere: made only if there is none, and there with its owner's name from the first moment.
 */
function takeLock(path: string, world: HookWorld): (() => void) | undefined {
  const mine = `${hostname()}:${process.pid}:${world.newId()}`;
  const tryLock = (): boolean => {
    try {
      fs.symlinkSync(mine, path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  };
  if (!tryLock() && !(clearStaleLock(path, world) && tryLock())) return undefined;
  return () => {
    if (ownerOf(path) === mine) fs.rmSync(path, { force: true });
  };
}

/**
 * Two that find the same stale lock can both get here. Should both come to send, order may suffer, but each event
 * keeps its key and the collector recognises the second delivery.
 */
function clearStaleLock(path: string, { now }: HookWorld): boolean {
  const owner = ownerOf(path);
  const made = fs.lstatSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (owner === undefined || made === undefined) return true;
  const [host, pid] = owner.split(':');
  const isGone = host === hostname() && !isAlive(Number(pid));
  if (!isGone && !isAbandoned(made, now())) return false;
  const aside = `${path}-${process.pid}`;
  renameIfThere(path, aside);
  const moved = ownerOf(aside);
  fs.rmSync(aside, { force: true });
  if (moved === undefined || moved === owner) return true;
  // It was the lock of one who was quicker.
  fs.symlinkSync(moved, path);
  return false;
}

function ownerOf(lock: string): string | undefined {
  try {
    return fs.readlinkSync(lock);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** Also where the clock was set back since. */
function isAbandoned(mtimeMs: number, now: number): boolean {
  return Math.abs(now - mtimeMs) > ABANDONED_MS;
}

function sha256(name: string, body: Buffer | string = ''): string {
  return createHash('sha256').update(name).update(body).digest('hex');
}

/** The system's own code where there is one; never a text that may quote what was sent. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error ? String(error.code) : error.message;
}
