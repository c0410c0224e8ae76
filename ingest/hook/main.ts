/** Entry of the hook client: connects it to its process. Runs as `dist/hook.mjs` and as `affidavit hook`. */
import { randomUUID } from 'node:crypto';
import { runHook } from './client.ts';

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop.abort());

process.exitCode = await runHook({
  argv: process.argv.slice(process.argv[2] === 'hook' ? 3 : 2),
  env: process.env,
  stdin: process.stdin,
  print: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
  now: Date.now,
  elapsedMs: () => performance.now(),
  newId: randomUUID,
  stop: stop.signal,
});
