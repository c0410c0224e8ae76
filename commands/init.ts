import { addCollector, dataPaths, initialise } from '../compose-init.ts';
import type { Config } from '../config.ts';
import { openFileSigner } from '../store/keys/file-signer.ts';
import { toJsonLine, type Output } from './output.ts';
import { tokenNotice } from './serve.ts';

export interface InitOptions {
  readonly json: boolean;
  /** Name of a further collector to make a token for. */
  readonly collector?: string;
}

/** Makes keys, tokens and the log of a data folder; does nothing to one that has them, but for a further collector. */
export async function init(config: Config, options: InitOptions, output: Output): Promise<void> {
  const { deployment, created } = await initialise(config);
  const { vkey } = await openFileSigner(dataPaths(config.data).signingKey, deployment.origin);
  const added = options.collector === undefined ? undefined : await addCollector(config, options.collector);
  if (options.json) {
    const { origin, created_at } = deployment;
    output.write(
      toJsonLine({
        data: config.data,
        created: created !== undefined,
        origin,
        created_at,
        vkey,
        admin_token: created?.admin ?? null,
        collector_token: created?.collector ?? null,
        added_collector: added === undefined ? null : { id: options.collector, token: added },
      }),
    );
    return;
  }
  const done = created === undefined ? 'holds a deployment already; its keys were not changed' : 'is ready';
  output.write(`${config.data} ${done}.\n  origin  ${deployment.origin}\n  key     ${vkey}\n`);
  output.write(
    'Give the key to your auditor by another way than the evidence: `affidavit verify --key` pins it.\n',
  );
  if (created !== undefined) output.write(tokenNotice(created));
  if (added === undefined) return;
  output.write(
    `\nShown once: the token of collector ${String(options.collector)}, known after the next start\n  ${added}\n`,
  );
}
