import * as fs from 'node:fs';
import { join } from 'node:path';
import { openBackoff } from './backoff.ts';
import { PARTIAL, renameIfThere, writeDurably } from './durable-file.ts';
import { codeOf } from './error-code.ts';
import { openHeartbeat } from './heartbeat.ts';
import { isAbandoned } from './lock.ts';
import { openLosses } from './losses.ts';
import { openSequence } from './sequence.ts';
import type { Bounds, Entry, HookWorld, LossReason, Outgoing } from './world.ts';

const ENTRY_NAME =
  /^(?<at>[0-9]{15})-(?<counter>[0-9]{6})-[0-9]+-[0-9a-f]{8}-(?<bytes>[0-9]+)(?:\.(?<boot>[0-9a-f]{32})\.(?<sequence>[0-9]+))?(?<native>\.native)?\.json$/;

export type Spool = NonNullable<ReturnType<typeof openSpool>>;

interface SpoolOptions extends Bounds {
  readonly folder: string;
  /** Of the collector; undefined if none is named. */
  readonly url: string | undefined;
}

/** undefined if the folder cannot be had, or others can reach into it. */
export function openSpool({ folder, url, ...bounds }: SpoolOptions, world: HookWorld) {
  const path = (name: string) => join(folder, name);
  const refusedFolder = path('refused');
  const refusedBounds = { maxBytes: bounds.maxBytes / 10, maxFiles: bounds.maxFiles / 10 };
  try {
    makeFolders(folder, [path('lost'), path('count'), refusedFolder]);
  } catch (error) {
    world.note(`affidavit hook: the spool cannot be used: ${codeOf(error)}\n`);
    return undefined;
  }
  const list = () => toEntries(fs.readdirSync(folder));
  const losses = openLosses(path('lost'), world);
  const sequence = openSequence(path('count'), world);
  const refused = new Map<string, LossReason>();
  return {
    lock: path('lock'),
    losses,
    sequence,
    heartbeat: openHeartbeat({ folder: path('count'), sequence, losses, list }, world),
    backoff: openBackoff(folder, url, world),
    /** What this process found refused, with the reason. */
    refused,
    /** In the order of sending. */
    list,
    /** undefined if another process was quicker. */
    read: ({ name }: Entry) => (fs.existsSync(path(name)) ? fs.readFileSync(path(name)) : undefined),
    remove: ({ name }: Entry) => fs.rmSync(path(name), { force: true }),
    /** Writes one event to stable storage; undefined if that would pass the bounds or the disk does not take it. */
    append({ body, kind, numbered }: Outgoing): Entry | undefined {
      const entries = list();
      if (!hasRoom(entries, body.length, bounds)) return undefined;
      const entry = { bytes: body.length, kind, numbered };
      const name = nextName(entries.at(-1), entry, world);
      try {
        writeDurably(folder, name, body);
      } catch (error) {
        world.note(`affidavit hook: the spool cannot be written: ${codeOf(error)}\n`);
        fs.rmSync(path(name + PARTIAL), { force: true });
        return undefined;
      }
      return { ...entry, name };
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

/** Where files have no owner's number, as on Windows, the folder is as closed as the home it lies in. */
function makeFolders(folder: string, inner: readonly string[]): void {
  for (const made of inner) fs.mkdirSync(made, { recursive: true, mode: 0o700 });
  const mine = process.getuid?.();
  const { uid, mode } = fs.lstatSync(folder);
  if (mine !== undefined && (uid !== mine || (mode & 0o077) !== 0))
    throw new Error('others can reach into it');
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

/** Sorts behind all that is there, also after the clock was set back. */
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
