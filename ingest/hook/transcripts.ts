/**
 * Sends what is new in transcripts: lines of the two types that may leave the machine, in pieces, in order, until all
 * is sent, the time is up or the collector does not take it. What is left goes with a later call.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TRANSCRIPT_PATH, type Collector } from './collector.ts';
import { sha256 } from './digest.ts';
import { codeOf } from './error-code.ts';
import { takeLock } from './lock.ts';
import type { Settings } from './settings.ts';
import type { Spool } from './spool.ts';
import { locateTranscript, openTranscript, transcriptsOf } from './transcript-path.ts';
import { readPiece } from './transcript-piece.ts';
import { openTranscriptStates, type TranscriptStates } from './transcript-state.ts';
import type { HookWorld } from './world.ts';

/** While another process sends, it is asked this often whether it is done. */
const LOCK_PAUSE_MS = 25;

interface Sending {
  readonly states: TranscriptStates;
  readonly spool: Spool;
  readonly collector: Collector;
}

/**
 * Remembers the transcripts that the event names, and sends them and all that earlier calls left if `mayTry`. Never
 * rejects: what goes wrong here must not cost the event, nor hold the agent up.
 */
export async function sendTranscripts(
  event: Buffer,
  { folder, transcriptRoots: roots }: Settings,
  { spool, collector, mayTry }: Omit<Sending, 'states'> & { readonly mayTry: boolean },
  world: HookWorld,
): Promise<void> {
  try {
    const states = openTranscriptStates(join(folder, 'transcripts'));
    const named = transcriptsOf(event).map((path) => locateTranscript(path, roots));
    for (const path of named) {
      if (path === false) spool.losses.count('transcript_outside');
      else if (path !== undefined) states.remember(path);
    }
    const release = mayTry ? await waitForLock(states.lock, collector, world) : undefined;
    if (release === undefined) return;
    // Those of the event first: somebody may wait for them.
    const paths = new Set([...named.filter((path) => typeof path === 'string'), ...states.paths()]);
    await sendAll([...paths], roots, world, { states, spool, collector }).finally(release);
  } catch (error) {
    world.note(`affidavit hook: transcripts cannot be sent: ${codeOf(error)}\n`);
  }
}

async function waitForLock(path: string, collector: Collector, world: HookWorld) {
  for (;;) {
    const release = collector.hasTime() ? takeLock(path, world) : undefined;
    if (release !== undefined || !collector.hasTime()) return release;
    await pause(LOCK_PAUSE_MS);
  }
}

async function sendAll(
  paths: readonly string[],
  roots: readonly string[],
  world: HookWorld,
  sending: Sending,
): Promise<void> {
  for (const path of paths) {
    // Once more for those that an earlier call remembered: what was no link then can be one now.
    const file = locateTranscript(path, roots) === path ? openTranscript(path) : undefined;
    if (file === undefined) {
      if (sending.states.hasRest(path)) sending.spool.losses.count('transcript_gone');
      sending.states.forget(path);
      continue;
    }
    try {
      if (!(await sendOne(path, file, sending))) return;
      if (sending.states.isForgotten(fs.fstatSync(file).mtimeMs, world.now())) sending.states.forget(path);
    } finally {
      fs.closeSync(file);
    }
  }
}

/** Resolves to whether the next transcript may be tried. */
async function sendOne(path: string, file: number, { states, spool, collector }: Sending): Promise<boolean> {
  let from = states.placeIn(path, file);
  // Once: a file that grows as fast as it is sent must not keep the others waiting.
  const { size } = fs.fstatSync(file);
  while (from < size) {
    if (!collector.hasTime()) return false;
    const { lines, lost, nextBytes } = readPiece(file, from, size);
    if (nextBytes === from) return true;
    if (!(await sendLines(lines, `${sha256(path)}:${String(from)}`, { spool, collector }))) return false;
    // Counted before it is passed over: rather twice than not at all.
    for (const reason of lost) spool.losses.count(reason);
    states.advance(path, file, { offset_bytes: nextBytes, seen_bytes: size });
    from = nextBytes;
  }
  return true;
}

/** Resolves to whether each line was taken, or refused for good and counted. A refused piece is sent in halves. */
async function sendLines(
  lines: readonly Buffer[],
  name: string,
  sending: Omit<Sending, 'states'>,
): Promise<boolean> {
  if (lines.length === 0) return true;
  const { spool, collector } = sending;
  const fate = await collector.post(TRANSCRIPT_PATH, Buffer.concat(lines), {
    name,
    type: 'application/x-ndjson',
  });
  if (fate === 'taken') return true;
  // A collector without this route may get it; the file is still there then.
  if (fate === 'later' || fate === 'refused_404' || fate === 'refused_405') return false;
  if (lines.length === 1) {
    spool.losses.count(`transcript_${fate}`);
    return true;
  }
  const half = Math.ceil(lines.length / 2);
  const first = await sendLines(lines.slice(0, half), name, sending);
  return first && sendLines(lines.slice(half), name, sending);
}
