import { createLogger } from '../app/logger.ts';
import { addCollector, initialise, type DeployedLog, type GeneratedTokens } from '../app/deployment.ts';
import { dataPaths } from '../app/paths.ts';
import type { Config } from '../config.ts';
import { openFileSigner } from '../store/keys/file-signer.ts';
import { toJsonLine, type Output } from './output.ts';
import { tokenNotice } from './token-notice.ts';

export interface InitOptions {
  readonly json: boolean;
  /** Name of a further collector to make a token for. */
  readonly collector?: string;
}

/** Makes keys, tokens and logs of a deployment; does nothing to one that has them, but for a further collector. */
export async function init(config: Config, options: InitOptions, output: Output): Promise<void> {
  const { deployment, created } = await initialise(config, createLogger(config));
  const logs = await Promise.all(deployment.logs.map((named) => describeLog(config, named)));
  const added = options.collector === undefined ? undefined : await addCollector(config, options.collector);
  if (options.json) {
    const { created_at } = deployment;
    const added_collector = added === undefined ? null : { id: options.collector, token: added };
    const document = { data: config.data, created: created !== undefined, ...logs[0], created_at, logs };
    output.write(toJsonLine({ ...document, ...tokensOf(created), added_collector }));
    return;
  }
  const done = created === undefined ? 'holds a deployment already; its keys were not changed' : 'is ready';
  output.write(`${config.data} ${done}.\n`);
  for (const { origin, vkey } of logs) output.write(`  origin  ${origin}\n  key     ${vkey}\n`);
  output.write(
    'Give the key to your auditor by another way than the evidence: `affidavit verify --key` pins it.\n',
  );
  if (created !== undefined) output.write(tokenNotice(created));
  if (added === undefined) return;
  output.write(
    `\nShown once: the token of collector ${String(options.collector)}, known after the next start\n  ${added}\n`,
  );
}

function tokensOf(created: GeneratedTokens | undefined) {
  return { admin_token: created?.admin ?? null, collector_token: created?.collector ?? null };
}

async function describeLog(config: Config, { log, origin }: DeployedLog) {
  const { vkey } = await openFileSigner(dataPaths(config).signingKey, origin);
  return { log, origin, vkey };
}
