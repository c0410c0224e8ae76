/** A real OpenTelemetry Collector and a real LiteLLM proxy, built or installed once into the cache of engines. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Found {
  readonly path: string;
}
export interface Skipped {
  readonly skipped: string;
}

const CACHE = process.env['AFFIDAVIT_TEST_CACHE'] ?? join(homedir(), '.cache', 'affidavit-engines');
const LIMIT_MS = 20 * 60 * 1000;

const COLLECTOR = 'v0.160.0';
const CONFMAP = 'v1.66.0';
/** Core receiver and exporter; the queue lies in a file, so that it outlives the process. */
const MANIFEST = `dist:
  name: otelcol
  output_path: ./out
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver ${COLLECTOR}
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter ${COLLECTOR}
extensions:
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage ${COLLECTOR}
providers:
  - gomod: go.opentelemetry.io/collector/confmap/provider/envprovider ${CONFMAP}
  - gomod: go.opentelemetry.io/collector/confmap/provider/fileprovider ${CONFMAP}
`;

/** Path of the collector's binary; else the reason why there is none, which with CI=true is thrown. */
export function findCollector(): Promise<Found | Skipped> {
  return found('AFFIDAVIT_TEST_OTELCOL', `otelcol-${COLLECTOR}`, async (folder) => {
    await writeFile(join(folder, 'builder.yaml'), MANIFEST);
    const env = { ...process.env, GOBIN: folder };
    await run('go', ['install', `go.opentelemetry.io/collector/cmd/builder@${COLLECTOR}`], folder, env);
    await run(join(folder, 'builder'), ['--config', 'builder.yaml'], folder, env);
    return join(folder, 'out', 'otelcol');
  });
}

const LITELLM = '1.106.2';
const PACKAGES = [`litellm[proxy]==${LITELLM}`, 'opentelemetry-sdk', 'opentelemetry-exporter-otlp'];

/** Path of a virtual environment of Python with the proxy in it. */
export function findLitellm(): Promise<Found | Skipped> {
  return found('AFFIDAVIT_TEST_LITELLM', `litellm-${LITELLM}`, async (folder) => {
    const venv = join(folder, 'venv');
    await run('python3', ['-m', 'venv', venv], folder);
    await run(join(venv, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...PACKAGES], folder);
    return venv;
  });
}

async function found(
  variable: string,
  name: string,
  make: (folder: string) => Promise<string>,
): Promise<Found | Skipped> {
  const given = process.env[variable];
  const path = given ?? join(CACHE, name);
  if (existsSync(path)) return { path };
  try {
    if (given !== undefined) throw new Error(`${variable} names no file: ${given}`);
    await mkdir(CACHE, { recursive: true });
    process.stderr.write(`making ${name}, once\n`);
    const folder = await mkdtemp(`${path}.make-`);
    try {
      await rename(await make(folder), path);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return { path };
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    const skipped = `${name} is not to be had: ${error instanceof Error ? error.message : String(error)}`;
    process.stderr.write(`skipped: ${skipped}\n`);
    return { skipped };
  }
}

async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'], timeout: LIMIT_MS });
  let messages = '';
  child.stderr.on('data', (chunk: Buffer) => (messages = (messages + chunk.toString()).slice(-1_000)));
  const failed = once(child, 'error').then(([error]: unknown[]) => {
    throw error;
  });
  const [code] = (await Promise.race([once(child, 'close'), failed])) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args[0] ?? ''}: ${messages.trim()}`);
}
