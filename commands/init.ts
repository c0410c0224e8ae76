import { dataPaths, initialise } from '../compose-init.ts';
import type { Config } from '../config.ts';
import { openFileSigner } from '../store/keys/file-signer.ts';
import { toJsonLine, type Output } from './output.ts';
import { tokenNotice } from './serve.ts';

/** Makes keys, tokens and the log of a data folder; does nothing to one that has them. */
export async function init(
  config: Config,
  output: Output,
  { json }: { readonly json: boolean },
): Promise<void> {
  const { deployment, created } = await initialise(config);
  const { vkey } = await openFileSigner(dataPaths(config.data).signingKey, deployment.origin);
  if (json) {
    const tokens = { admin_token: created?.admin ?? null, collector_token: created?.collector ?? null };
    const { origin, created_at } = deployment;
    output.write(
      toJsonLine({ data: config.data, created: created !== undefined, origin, created_at, vkey, ...tokens }),
    );
    return;
  }
  const done = created === undefined ? 'holds a deployment already; nothing was changed' : 'is ready';
  output.write(`${config.data} ${done}.\n  origin  ${deployment.origin}\n  key     ${vkey}\n`);
  output.write(
    'Give the key to your auditor by another way than the evidence: `affidavit verify --key` pins it.\n',
  );
  if (created !== undefined) output.write(tokenNotice(created));
}
