import * as fs from 'node:fs';
import { join } from 'node:path';
import { openBackoff, type Backoff } from './backoff.ts';
import { PARTIAL, renameIfThere, writeDurably } from './durable-file.ts';
import { codeOf } from './error-code.ts';
import { openHeartbeat, type Heartbeat } from './heartbeat.ts';
import { isAbandoned } from './lock.ts';
import { openLosses, type Losses } from './losses.ts';
import { Sequence } from './sequence.ts';
import type { Bounds, Entry, HookWorld, LossReason, Outgoing } from './world.ts';

const ENTRY_NAME =
  /^(?<at>[0-9]{15})-(?<counter>[0-9]{6})-[0-9]+-[0-9a-f]{8}-(?<bytes>[0-9]+)(?:\.(?<boot>[0-9a-f]{32})\.(?<sequence>[0-9]+))?(?<native>\.native)?\.json$/;

interface SpoolOptions extends Bounds {
  readonly folder: string;
  /** Address of the collector; undefined if none is given. */
  readonly url: string | undefined;
}

/** Returns undefined if the folder cannot be made, or other users can reach into it. */
export function openSpool(options: SpoolOptions, world: HookWorld): Spool | undefined {
  try {
    makeFolders(options.folder, ['lost', 'count', 'refused']);
  } catch (error) {
    world.note(`affidavit hook: the spool cannot be used: ${codeOf(error)}\n`);
    return undefined;
  }
  return new Spool(options, world);
}

/** The folder of waiting events, one file per event. Several processes use it at once. */
export class Spool {
  readonly lock: string;
  readonly losses: Losses;
  readonly sequence: Sequence;
  readonly heartbeat: Heartbeat;
  readonly backoff: Backoff;
  /** Entries that the collector refused while this process ran, with the reason. */
  readonly refused = new Map<string, LossReason>();
  readonly #folder: string;
  readonly #bounds: Bounds;
  readonly #world: HookWorld;

  constructor({ folder, url, maxBytes, maxFiles }: SpoolOptions, world: HookWorld) {
    this.#folder = folder;
    this.#bounds = { maxBytes, maxFiles };
    this.#world = world;
    this.lock = this.#path('lock');
    this.losses = openLosses(this.#path('lost'), world);
    this.sequence = new Sequence(this.#path('count'), world);
    const { losses, sequence } = this;
    const parts = { folder: this.#path('count'), sequence, losses, list: () => this.list() };
    this.heartbeat = openHeartbeat(parts, world);
    this.backoff = openBackoff(folder, url, world);
  }

  /** The waiting entries, in the order of sending. */
  list(): Entry[] {
    return toEntries(fs.readdirSync(this.#folder));
  }

  /** Returns undefined if another process has sent the entry already. */
  read({ name }: Entry): Buffer | undefined {
    return fs.existsSync(this.#path(name)) ? fs.readFileSync(this.#path(name)) : undefined;
  }

  remove({ name }: Entry): void {
    fs.rmSync(this.#path(name), { force: true });
  }

  /** Writes one event to stable storage; undefined if it exceeds the bounds or the disk does not take it. */
  append({ body, kind, numbered }: Outgoing): Entry | undefined {
    const entries = this.list();
    if (!hasRoom(entries, body.length, this.#bounds)) return undefined;
    const entry = { bytes: body.length, kind, numbered };
    const name = nextName(entries.at(-1), entry, this.#world);
    try {
      writeDurably(this.#folder, name, body);
    } catch (error) {
      this.#world.note(`affidavit hook: the spool cannot be written: ${codeOf(error)}\n`);
      fs.rmSync(this.#path(name + PARTIAL), { force: true });
      return undefined;
    }
    return { ...entry, name };
  }

  /**
   * Takes an entry that the collector will never accept out of the queue. Refused entries are kept for inspection up
   * to a tenth of the spool's bounds. The loss is counted first: after a crash it may be counted twice, never missed.
   */
  refuse({ name, bytes }: Entry, reason: LossReason): void {
    this.refused.set(name, this.losses.count(reason));
    const { maxBytes, maxFiles } = this.#bounds;
    const kept = toEntries(fs.readdirSync(this.#path('refused')));
    if (hasRoom(kept, bytes, { maxBytes: maxBytes / 10, maxFiles: maxFiles / 10 }))
      renameIfThere(this.#path(name), this.#path('refused', name));
    else fs.rmSync(this.#path(name), { force: true });
  }

  /** Completes files that a killed client had written whole, and counts those that it had not as losses. */
  recover(): void {
    for (const partial of fs.readdirSync(this.#folder).filter((name) => name.endsWith(PARTIAL))) {
      const [entry] = toEntries([partial.slice(0, -PARTIAL.length)]);
      const found = fs.statSync(this.#path(partial), { throwIfNoEntry: false });
      if (entry === undefined || found === undefined) continue;
      if (found.size === entry.bytes) renameIfThere(this.#path(partial), this.#path(entry.name));
      else if (isAbandoned(found.mtimeMs, this.#world.now())) {
        this.losses.count('incomplete');
        fs.rmSync(this.#path(partial), { force: true });
      }
    }
  }

  #path(...names: readonly string[]): string {
    return join(this.#folder, ...names);
  }
}

/** Windows reports no owner of a file; there the folder is as private as the home that it lies in. */
function makeFolders(folder: string, inner: readonly string[]): void {
  for (const name of inner) fs.mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
  const ownUid = process.getuid?.();
  const { uid, mode } = fs.lstatSync(folder);
  if (ownUid !== undefined && (uid !== ownUid || (mode & 0o077) !== 0))
    throw new Error('other users can reach into it');
}

function toEntries(names: readonly string[]): Entry[] {
  const entries = names.flatMap((name): Entry[] => {
    const parts = ENTRY_NAME.exec(name)?.groups;
    if (parts === undefined) return [];
    const { bytes, boot: boot_id = '', sequence, native } = parts;
    const numbered = sequence === undefined ? undefined : { boot_id, sequence: Number(sequence) };
    return [{ name, bytes: Number(bytes), kind: native === undefined ? 'event' : 'native', numbered }];
  });
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The name sorts behind all existing entries, also after the clock was set back. */
function nextName(
  newest: Entry | undefined,
  { bytes, kind, numbered }: Omit<Entry, 'name'>,
  { now, newId }: HookWorld,
): string {
  const { at = '', counter = '' } = ENTRY_NAME.exec(newest?.name ?? '')?.groups ?? {};
  const time = String(now()).padStart(15, '0');
  const order = at >= time ? [at, String(Number(counter) + 1).padStart(6, '0')] : [time, '000000'];
  const number = numbered === undefined ? '' : `.${numbered.boot_id}.${numbered.sequence}`;
  const ending = `${number}${kind === 'native' ? '.native' : ''}.json`;
  return `${order.join('-')}-${process.pid}-${newId().slice(0, 8)}-${bytes}${ending}`;
}

function hasRoom(entries: readonly Entry[], more: number, { maxBytes, maxFiles }: Bounds): boolean {
  return entries.length < maxFiles && entries.reduce((sum, { bytes }) => sum + bytes, more) <= maxBytes;
}
