import { verifyStore } from '../app/store-check.ts';
import type { Config } from '../config.ts';
import type { Output } from './output.ts';
import { printVerdict, type VerifyCommandOptions } from './verify.ts';

/**
 * Verifies the archive of the configured deployment, or another copy of it, then holds each row of the deployment's
 * record store against it. Prints the verdict; resolves whether it is good.
 */
export function verifyStoreRows(
  config: Config,
  archiveDir: string | undefined,
  options: VerifyCommandOptions,
  output: Output,
): Promise<boolean> {
  return printVerdict(
    (verifyOptions) => verifyStore(config, { ...verifyOptions, archiveDir }),
    options,
    output,
  );
}
