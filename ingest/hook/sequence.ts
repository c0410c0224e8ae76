import * as fs from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { sha256 } from './digest.ts';
import { renameIfThere } from './durable-file.ts';
import { codeOf } from './error-code.ts';
import type { HookWorld, Numbered } from './world.ts';

/** Length of a token in the file of a run. The place of a token is the number, so tokens only have to differ. */
const TOKEN_BYTES = 8;
/** A token is searched in the last 64 first: so many processes hardly ever append at once. */
const TAIL_BYTES = 64 * TOKEN_BYTES;
/** At this length a new run begins, so that the file stays small. */
const LONGEST_BYTES = 1024 * 1024;
const RUN_FILE = 'run';

/** A run is one spool folder between two starts of its machine, or a part of that. */
interface Run {
  readonly boot_id: string;
  /** Identifies the start of the machine. */
  readonly machine: string;
}

/**
 * Numbers the deliveries of a collector, from 1 and without gaps in each run, over processes that run at once and can
 * be killed at any moment. A number is the place of a token appended to a file: appending takes no lock, and no two
 * tokens get one place. Nothing is flushed, because a power cut ends the run.
 */
export class Sequence {
  readonly #folder: string;
  readonly #world: HookWorld;

  constructor(folder: string, world: HookWorld) {
    this.#folder = folder;
    this.#world = world;
  }

  bootId(): string {
    return this.#currentRun().boot_id;
  }

  /** Returns the next number, or undefined if the disk does not take it. A process killed after it leaves a gap. */
  next(): Numbered | undefined {
    try {
      const { boot_id } = this.#currentRun();
      const token = Buffer.from(this.#newHexId().slice(0, 2 * TOKEN_BYTES), 'hex');
      const sequence = append(token, this.#countFile(boot_id));
      return sequence === undefined ? undefined : { boot_id, sequence };
    } catch (error) {
      this.#world.note(`affidavit hook: the event gets no number: ${codeOf(error)}\n`);
      return undefined;
    }
  }

  /** The last number of each run whose file still exists. */
  lastNumbers(): Numbered[] {
    const names = fs.readdirSync(this.#folder);
    const runs = names.flatMap((name) => /^([0-9a-f]{32})\.count$/.exec(name)?.[1] ?? []);
    return runs.map((boot_id) => ({ boot_id, sequence: Math.floor(this.#lengthOf(boot_id) / TOKEN_BYTES) }));
  }

  /** Removes the file of a run that is over and whose last number was reported. */
  forget(boot_id: string): void {
    fs.rmSync(this.#countFile(boot_id), { force: true });
  }

  /** When the last number of a run was taken, by the machine's clock. */
  takenAtMs(boot_id: string): number {
    return fs.statSync(this.#countFile(boot_id), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  #currentRun(): Run {
    const machine = machineStart(this.#world.now());
    const found = readRun(join(this.#folder, RUN_FILE));
    if (found.run !== undefined && this.#isOpen(found.run, machine)) return found.run;
    let run = this.#succeed(found.key, machine);
    while (!this.#isOpen(run, machine)) run = this.#succeed(run.boot_id, machine);
    // The file is only a shortcut: a process that reads an older one follows the successors to the same run.
    renameIfThere(writeBeside(join(this.#folder, RUN_FILE), run), join(this.#folder, RUN_FILE));
    return run;
  }

  /** A run that has a successor is over for good, also if its own file was removed. */
  #isOpen({ boot_id, machine }: Run, currentMachine: string): boolean {
    return (
      isSameStart(machine, currentMachine) &&
      this.#lengthOf(boot_id) < LONGEST_BYTES &&
      !fs.existsSync(join(this.#folder, `${boot_id}.next`))
    );
  }

  #succeed(key: string, machine: string): Run {
    return createSuccessor(join(this.#folder, `${key}.next`), { boot_id: this.#newHexId(), machine });
  }

  #newHexId(): string {
    return this.#world.newId().replaceAll('-', '');
  }

  #countFile(boot_id: string): string {
    return join(this.#folder, `${boot_id}.count`);
  }

  #lengthOf(boot_id: string): number {
    return fs.statSync(this.#countFile(boot_id), { throwIfNoEntry: false })?.size ?? 0;
  }
}

/** Of several processes that begin a run at once, the first to create the file decides which run succeeds. */
function createSuccessor(path: string, run: Run): Run {
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
  // No client writes such a file, and while it exists no new run can begin.
  fs.rmSync(path, { force: true });
  return createSuccessor(path, run);
}

function writeBeside(path: string, run: Run): string {
  const made = `${path}-${run.boot_id}-${process.pid}`;
  fs.writeFileSync(made, JSON.stringify(run), { mode: 0o600 });
  return made;
}

/** Returns the token's place, from 1. The search begins at the end, where the token is unless many append at once. */
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
  // A full disk can cut a token; the part that is left does not count.
  const end = size - (size % TOKEN_BYTES);
  const tail = Buffer.alloc(Math.min(bytes, end));
  fs.readSync(file, tail, 0, tail.length, end - tail.length);
  for (let at = tail.length - TOKEN_BYTES; at >= 0; at -= TOKEN_BYTES) {
    if (tail.subarray(at, at + TOKEN_BYTES).equals(token)) return (end - tail.length + at) / TOKEN_BYTES + 1;
  }
  return undefined;
}

/** The run that a file names, and the key under which its successor is found. */
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

/** The kernel's id of this start, or else the time of the start by the machine's clock. */
function machineStart(nowMs: number): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return String(Math.round(nowMs - 1000 * uptime()));
  }
}

/** Two readings of the time of one start differ by the correction of the clock in between. */
function isSameStart(one: string, other: string): boolean {
  return one === other || Math.abs(Number(one) - Number(other)) < 60_000;
}
