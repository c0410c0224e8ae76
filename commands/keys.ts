/** The options of the commands that change keys: of the key store, of the logs, and after a theft. */
import { Option, type Command } from 'commander';
import type { BeginGenerationOptions } from './begin-generation.ts';
import type { CommandContext } from './collect.ts';

type KeysContext = Pick<CommandContext, 'config' | 'output'>;

const json = () => new Option('--json', 'print one JSON object instead of text').default(false);

export function declareKeys(program: Command, context: KeysContext): void {
  declareRotateMasterKey(program, context);
  declareRotateLogKey(program, context);
  declareBeginGeneration(program, context);
}

function declareRotateMasterKey(program: Command, { config, output }: KeysContext): void {
  program
    .command('rotate-master-key')
    .description(
      'put every object of the key store under a new master key; servers may run; run it again after an interruption',
    )
    .addOption(json())
    .action(async (options: { json: boolean }) => {
      const { rotateMasterKey } = await import('./rotate-master-key.ts');
      await rotateMasterKey(config(), output, options);
    });
}

function declareRotateLogKey(program: Command, { config, output }: KeysContext): void {
  program
    .command('rotate-log-key')
    .description(
      'change the key that signs the logs and the one that signs packages, with the signature of the old one; stop every server that seals first; run it again after an interruption',
    )
    .addOption(json())
    .action(async (options: { json: boolean }) => {
      const { rotateLogKey } = await import('./rotate-log-key.ts');
      await rotateLogKey(config(), output, options);
    });
}

function declareBeginGeneration(program: Command, { config, output }: KeysContext): void {
  program
    .command('begin-generation')
    .description(
      'after somebody stole the keys of the logs: begin new logs under new keys, in an archive that holds no log, which continue the old ones from checkpoints that were kept elsewhere before the theft; stop every server that seals and move the old archive away first; run it again after an interruption',
    )
    .requiredOption('--previous <path>', 'folder of the old archive, or s3://BUCKET/PREFIX; it is only read')
    .option(
      '--trusted <file>',
      'checkpoint of a log of records that was kept elsewhere before the theft; once for each log',
      (file: string, files: readonly string[]) => [...files, file],
      [],
    )
    .option(
      '--trust-nothing-of <log>',
      'log, such as p0, of which nobody kept a checkpoint: none of its old records is evidence then',
      (log: string, logs: readonly string[]) => [...logs, log],
      [],
    )
    .addOption(json())
    .action(async (options: BeginGenerationOptions) => {
      const { beginGeneration } = await import('./begin-generation.ts');
      await beginGeneration(config(), options, output);
    });
}
