/** Serves a role as `affidavit serve --role` does, with limits that have no configuration key. */
import process from 'node:process';
import { serve } from '../../dist/commands/serve.js';
import { loadConfig } from '../../dist/config.js';

const [role, limits] = process.argv.slice(2);
const stop = new globalThis.AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
const output = { isTerminal: false, write: (text) => void process.stdout.write(text) };
const config = loadConfig(undefined, undefined, { AFFIDAVIT_ROLE: role });
await serve(config, output, stop.signal, { limits: JSON.parse(limits) });
// As cli.ts does.
globalThis.setTimeout(() => process.exit(), 2_000).unref();
