/**
 * Steps the clock of a process: loaded before the program, in each of its threads, it adds to `Date.now` the
 * milliseconds that stand in the file named by TORTURE_CLOCK_FILE. Timers and the monotonic clock stay as they are,
 * as they do when somebody sets the clock of a machine.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import process from 'node:process';

const READ_EVERY_MS = 5;

const file = process.env['TORTURE_CLOCK_FILE'];
const realNow = Date.now;
let offsetMs = 0;
let readMs = -Infinity;

Date.now = () => {
  if (performance.now() - readMs > READ_EVERY_MS) {
    readMs = performance.now();
    offsetMs = readOffset();
  }
  return realNow() + offsetMs;
};

/** A file that is just being replaced reads as empty: the last offset holds then. */
function readOffset() {
  const text = readFileSync(file, 'utf8');
  return text === '' ? offsetMs : Number(text);
}
