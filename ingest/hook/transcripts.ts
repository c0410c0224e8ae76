/**
 * Sends the new lines of transcripts: only lines of the two types that may leave the machine, in pieces, in order, until
 * all are sent, the time is up or the collector does not take one. Later calls send the rest.
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

/** While another process sends, the lock is tried again after this pause. */
const LOCK_PAUSE_MS = 25;

interface Sending {
  readonly states: TranscriptStates;
  readonly spool: Spool;
  readonly collector: Collector;
}

/**
 * Remembers the transcripts that the event names. If `mayTry`, sends them and all that earlier calls left. Never
 * rejects: a failure here must not lose the event or hold the agent up.
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
    // The transcripts of the event come first: somebody may wait for them.
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
    // Located again for transcripts that an earlier call remembered: a link may have replaced the file since.
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

/** Resolves to whether the next transcript may be sent. */
async function sendOne(path: string, file: number, { states, spool, collector }: Sending): Promise<boolean> {
  let from = states.offsetIn(path, file);
  // The size is read once: a file that grows as fast as it is sent must not keep the others waiting.
  const { size } = fs.fstatSync(file);
  while (from < size) {
    if (!collector.hasTime()) return false;
    const { lines, lost, nextBytes } = readPiece(file, from, size);
    if (nextBytes === from) return true;
    if (!(await sendLines(lines, `${sha256(path)}:${String(from)}`, { spool, collector }))) return false;
    // Counted before the client advances: after a crash a loss may be counted twice, never missed.
    for (const reason of lost) spool.losses.count(reason);
    states.advance(path, file, { offset_bytes: nextBytes, seen_bytes: size });
    from = nextBytes;
  }
  return true;
}

/** Resolves to whether each line was accepted, or finally refused and counted. A refused piece is sent in halves. */
async function sendLines(
  lines: readonly Buffer[],
  name: string,
  sending: Omit<Sending, 'states'>,
): Promise<boolean> {
  if (lines.length === 0) return true;
  const { spool, collector } = sending;
  const result = await collector.post(TRANSCRIPT_PATH, Buffer.concat(lines), {
    name,
    type: 'application/x-ndjson',
  });
  if (result === 'accepted') return true;
  // A collector without this route may get the route later; the transcript is still there then.
  if (result === 'retry' || result === 'refused_404' || result === 'refused_405') return false;
  if (lines.length === 1) {
    spool.losses.count(`transcript_${result}`);
    return true;
  }
  const half = Math.ceil(lines.length / 2);
  const first = await sendLines(lines.slice(0, half), name, sending);
  return first && sendLines(lines.slice(half), name, sending);
}
