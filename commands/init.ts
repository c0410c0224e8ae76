import { createContext } from '../app/context.ts';
import { addCollector, initialise, type GeneratedTokens } from '../app/deployment.ts';
import type { DeployedLog } from '../app/deployment-file.ts';
import { dataPaths } from '../app/paths.ts';
import type { Config } from '../config.ts';
import { openFileSigner } from '../store/keys/file-signer.ts';
import { toJsonLine, type Output } from './output.ts';
import { tokenNotice } from './tokens.ts';

export interface InitOptions {
  readonly json: boolean;
  /** Whether the logs are marked as synthetic. */
  readonly synthetic?: boolean;
  /** Name of a further collector to make a token for. */
  readonly collector?: string;
}

/** Makes the keys, tokens and logs of a deployment. An existing deployment only gets the further collector. */
export async function init(config: Config, options: InitOptions, output: Output): Promise<void> {
  const context = createContext(config);
  const { deployment, created, madeEventLogKey } = await initialise(context, {
    isSynthetic: options.synthetic,
  });
  const logs = await Promise.all(deployment.logs.map((named) => describeLog(config, named)));
  const added = options.collector === undefined ? undefined : await addCollector(context, options.collector);
  if (options.json) {
    const { created_at } = deployment;
    const added_collector = added === undefined ? null : { id: options.collector, token: added };
    const document = { data: config.data, created: created !== undefined, ...logs[0], created_at, logs };
    output.write(toJsonLine({ ...document, ...tokensOf(created), added_collector }));
    return;
  }
  const state = created === undefined ? 'already holds a deployment; its keys were not changed' : 'is ready';
  output.write(`${config.data} ${state}.\n`);
  if (madeEventLogKey) output.write('Its event log got a key: start every receiver and sequencer again.\n');
  for (const { origin, vkey } of logs) output.write(`  origin  ${origin}\n  key     ${vkey}\n`);
  output.write(
    'Give the key to your auditor separately from the evidence: `affidavit verify --key` pins it.\n',
  );
  if (created !== undefined) output.write(tokenNotice(created));
  if (added === undefined) return;
  output.write(
    `\nShown once: the token of collector ${String(options.collector)}, which the server accepts after its next start\n  ${added}\n`,
  );
}

function tokensOf(created: GeneratedTokens | undefined) {
  return { admin_token: created?.admin ?? null, collector_token: created?.collector ?? null };
}

async function describeLog(config: Config, { log, origin }: DeployedLog) {
  const { vkey } = await openFileSigner(dataPaths(config).signingKey, origin);
  return { log, origin, vkey };
}
