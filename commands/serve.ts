import { compose, type StartOptions } from '../app/app.ts';
import type { GeneratedTokens } from '../app/deployment.ts';
import type { Config } from '../config.ts';
import { claudeSettings } from './claude-settings.ts';
import type { Output } from './output.ts';
import { tokenNotice } from './tokens.ts';

const TOKEN_PLACEHOLDER = 'PUT-THE-COLLECTOR-TOKEN-HERE';

/** Serves until the signal is aborted; rejects when a role fails. */
export async function serve(
  config: Config,
  output: Output,
  signal: AbortSignal,
  options: StartOptions = {},
): Promise<void> {
  const onCreated = (tokens: GeneratedTokens) => output.write(tokenNotice(tokens));
  const running = await compose(config, { ...options, onCreated });
  try {
    announce(config, running, output);
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([running.stopped, aborted]);
  } finally {
    await running.close();
  }
}

interface Addresses {
  readonly ingestPort: number | undefined;
  readonly grpcPort: number | undefined;
  readonly apiPort: number;
  readonly created: GeneratedTokens | undefined;
}

function announce(
  config: Config,
  { ingestPort, grpcPort, apiPort, created }: Addresses,
  output: Output,
): void {
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const scheme = config.ingest.tls_cert === undefined ? 'http' : 'https';
  const ingestUrl = ingestPort === undefined ? undefined : `${scheme}://${host}:${String(ingestPort)}`;
  output.write(config.role === undefined ? 'Affidavit serves.\n' : `Affidavit serves as ${config.role}.\n`);
  if (ingestUrl !== undefined) output.write(`  receivers  ${ingestUrl}\n`);
  if (grpcPort !== undefined) output.write(`  OTLP/gRPC  ${scheme}://${host}:${String(grpcPort)}\n`);
  output.write(`  API        http://${host}:${String(apiPort)}\n  data       ${config.data}\n`);
  if (ingestUrl !== undefined && config.role === undefined) showSettings(ingestUrl, created, output);
  output.write('Stop with Ctrl-C.\n');
}

function showSettings(ingestUrl: string, created: GeneratedTokens | undefined, output: Output): void {
  const token = created?.collector ?? TOKEN_PLACEHOLDER;
  const settings = JSON.stringify(claudeSettings(ingestUrl, token), null, 2);
  output.write(
    `\nTo send data to it, put this into ~/.claude/settings.json (or managed settings):\n\n${settings}\n\n`,
  );
}
