import { renderReport } from '../store/chain/verify/report.ts';
import { verifyPath } from '../store/chain/verify/path.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';

export interface VerifyCommandOptions {
  /** C2SP verifier key to pin. */
  readonly key?: string;
  readonly json: boolean;
}

/** Verifies a package or an archive folder and prints the verdict; resolves whether it is good. */
export async function verify(
  path: string,
  { key, json }: VerifyCommandOptions,
  output: Output,
): Promise<boolean> {
  const progress = createProgress(json ? { ...output, isTerminal: false } : output);
  const report = await verifyPath(path, {
    pinnedVkey: key,
    onProgress: ({ step, done, total }) => {
      progress.step(`${step}: ${String(done)}${total === undefined ? '' : ` of ${String(total)}`}`);
    },
  });
  progress.done();
  output.write(json ? toJsonLine(report) : renderReport(report));
  return report.ok;
}
