import * as fs from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { sha256 } from './digest.ts';
import { renameIfThere } from './durable-file.ts';
import { codeOf } from './error-code.ts';
import type { HookWorld, Numbered } from './world.ts';

/** Of a token in the file of a run: its place is the number, so the tokens only have to differ. */
const TOKEN_BYTES = 8;
/** Looked through for a token first; so many calls at once there never are. */
const TAIL_BYTES = 64 * TOKEN_BYTES;
/** At this length a new run begins, so that the file stays small. */
const LONGEST_BYTES = 1024 * 1024;
const RUN_FILE = 'run';

/** A run is one spool folder between two starts of its machine, or a part of that. */
interface Run {
  readonly boot_id: string;
  /** What tells the starts of the machine apart. */
  readonly machine: string;
}

export type Sequence = ReturnType<typeof openSequence>;

/**
 * Numbers what a collector is sent, from 1 and without gaps in each run, over processes that run at once and can be
 * killed at any moment. A number is the place of a token appended to a file: appending takes no lock, and a place is
 * taken once. Nothing is flushed, because a power cut ends the run.
 */
export function openSequence(folder: string, { now, newId, note }: HookWorld) {
  const fileOf = (boot_id: string) => join(folder, `${boot_id}.count`);
  const lengthOf = (boot_id: string): number =>
    fs.statSync(fileOf(boot_id), { throwIfNoEntry: false })?.size ?? 0;
  // One that another follows is over for good, also where its file was forgotten.
  const goesOn = (run: Run, machine: string): boolean =>
    isSameStart(run.machine, machine) &&
    lengthOf(run.boot_id) < LONGEST_BYTES &&
    !fs.existsSync(join(folder, `${run.boot_id}.next`));
  const follow = (key: string, machine: string): Run =>
    followOnce(join(folder, `${key}.next`), { boot_id: newId().replaceAll('-', ''), machine });
  const current = (): Run => {
    const machine = machineStart(now());
    const found = readRun(join(folder, RUN_FILE));
    if (found.run !== undefined && goesOn(found.run, machine)) return found.run;
    let run = follow(found.key, machine);
    while (!goesOn(run, machine)) run = follow(run.boot_id, machine);
    // A shortcut: whoever reads an older one comes here as well.
    renameIfThere(writeBeside(join(folder, RUN_FILE), run), join(folder, RUN_FILE));
    return run;
  };
  return {
    bootId: (): string => current().boot_id,
    /** The next number; undefined if the disk does not take it. Who is killed behind this line leaves a gap. */
    next(): Numbered | undefined {
      try {
        const { boot_id } = current();
        const token = Buffer.from(
          newId()
            .replaceAll('-', '')
            .slice(0, 2 * TOKEN_BYTES),
          'hex',
        );
        const sequence = append(token, fileOf(boot_id));
        return sequence === undefined ? undefined : { boot_id, sequence };
      } catch (error) {
        note(`affidavit hook: there is no number for it: ${codeOf(error)}\n`);
        return undefined;
      }
    },
    /** The last number of each run that is still known. */
    lastNumbers(): Numbered[] {
      const runs = fs.readdirSync(folder).flatMap((name) => /^([0-9a-f]{32})\.count$/.exec(name)?.[1] ?? []);
      return runs.map((boot_id) => ({ boot_id, sequence: Math.floor(lengthOf(boot_id) / TOKEN_BYTES) }));
    },
    /** A run that is over, and told. */
    forget: (boot_id: string) => fs.rmSync(fileOf(boot_id), { force: true }),
    /** When a number was last taken, by the machine's clock. */
    takenAtMs: (boot_id: string) => fs.statSync(fileOf(boot_id), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  };
}

/** One run only follows another, whoever begin at once: the first to make the file has made the run. */
function followOnce(path: string, run: Run): Run {
  const made = writeBeside(path, run);
  try {
    fs.linkSync(made, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    fs.rmSync(made, { force: true });
  }
  const next = readRun(path).run;
  if (next !== undefined) return next;
  // Nobody can have made it so; with it no run would ever begin again.
  fs.rmSync(path, { force: true });
  return followOnce(path, run);
}

function writeBeside(path: string, run: Run): string {
  const made = `${path}-${run.boot_id}-${process.pid}`;
  fs.writeFileSync(made, JSON.stringify(run), { mode: 0o600 });
  return made;
}

/** Returns its place from 1; searched from the end, where it lies unless many append at once. */
function append(token: Buffer, path: string): number | undefined {
  const file = fs.openSync(path, 'a+', 0o600);
  try {
    fs.writeSync(file, token);
    const { size } = fs.fstatSync(file);
    return (
      findBackwards(token, file, { size, bytes: TAIL_BYTES }) ??
      findBackwards(token, file, { size, bytes: size })
    );
  } finally {
    fs.closeSync(file);
  }
}

function findBackwards(
  token: Buffer,
  file: number,
  { size, bytes }: { readonly size: number; readonly bytes: number },
): number | undefined {
  // What is no whole token is one that a full disk cut.
  const end = size - (size % TOKEN_BYTES);
  const tail = Buffer.alloc(Math.min(bytes, end));
  fs.readSync(file, tail, 0, tail.length, end - tail.length);
  for (let at = tail.length - TOKEN_BYTES; at >= 0; at -= TOKEN_BYTES) {
    if (tail.subarray(at, at + TOKEN_BYTES).equals(token)) return (end - tail.length + at) / TOKEN_BYTES + 1;
  }
  return undefined;
}

/** The run that a file names, and what the run after it is found by. */
function readRun(path: string): { readonly run: Run | undefined; readonly key: string } {
  let text = '';
  try {
    text = fs.readFileSync(path, 'utf8');
    const found = JSON.parse(text) as Run;
    if (/^[0-9a-f]{32}$/.test(found.boot_id) && typeof found.machine === 'string') {
      return { run: found, key: found.boot_id };
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { run: undefined, key: 'no' };
  }
  return { run: undefined, key: sha256(text).slice(0, 32) };
}

/** The kernel's own id of this start, or else when that was, by the machine's clock. */
function machineStart(nowMs: number): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return String(Math.round(nowMs - 1000 * uptime()));
  }
}

/** Two readings of the time of one start differ by what the clock was corrected in between. */
function isSameStart(one: string, other: string): boolean {
  return one === other || Math.abs(Number(one) - Number(other)) < 60_000;
}
