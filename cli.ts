/** The command line: argv → one subcommand. Owns the exit codes and signals of every command except the hook client. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import type { CanaryOptions } from './commands/canary.ts';
import { declareCollect } from './commands/collect.ts';
import type { InitOptions } from './commands/init.ts';
import { declareKeys } from './commands/keys.ts';
import { PROFILES, SYSTEMS, type ManagedSettingsOptions } from './commands/managed-settings-choices.ts';
import type { Output } from './commands/output.ts';
import type { ProbeCommandOptions } from './commands/probe.ts';
import type { RebuildOptions } from './commands/rebuild.ts';
import type { ReportOptions } from './commands/report.ts';
import type { SimulateOptions } from './commands/simulate.ts';
import type { VerifyCommandOptions } from './commands/verify.ts';
import { loadConfig, packageRoot } from './config.ts';
import { FRAMEWORKS } from './reports/frameworks/index.ts';
import { ROLES } from './schemas/config.ts';
import { PipelineError, type ErrorCode } from './schemas/errors.ts';

const EXIT = { ok: 0, operational: 1, usage: 2, negative: 3 } as const;

/** Failures that a person mends at the command line or in the configuration. */
const USAGE_CODES: readonly ErrorCode[] = ['CONFIG_INVALID', 'USAGE_INVALID'];

const output: Output = {
  isTerminal: process.stdout.isTTY,
  write: (text) => void process.stdout.write(text),
};

const notes: Output = {
  isTerminal: false,
  write: (text) => void process.stderr.write(text),
};

const stop = new AbortController();
/** A terminal and npm both pass on one Ctrl-C. A signal that comes later than this is a second one. */
const SAME_SIGNAL_MS = 1_000;
/** A process whose server is closed ends after this time, whatever a library has left open. */
const LEFTOVERS_MS = 2_000;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;
for (const signal of STOP_SIGNALS) process.on(signal, onStopSignal);

const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
  version: string;
};
const program = new Command('affidavit')
  .description('Audit and compliance evidence for AI coding agents: sealed records, offline verification.')
  .version(version)
  .option('-c, --config <file>', 'JSON configuration file (also AFFIDAVIT_CONFIG)')
  .showHelpAfterError('(add --help to list options and commands)')
  .exitOverride();
// Each command is loaded when it is run: verifying must not load an engine.
const config = (given: Readonly<Record<string, string>> = {}) =>
  loadConfig(program.opts<{ config?: string }>().config, undefined, given);
const fail = () => {
  process.exitCode = EXIT.operational;
};
const json = () => new Option('--json', 'print one JSON object instead of text').default(false);

program
  .command('init')
  .description('make the keys, tokens and logs of a deployment; safe to repeat')
  .option('--collector <name>', 'also make a token for a further collector with this name')
  .option('--synthetic', 'mark the logs for good as made for tests or shows: nothing in them is evidence')
  .addOption(json())
  .action(async (options: InitOptions) => {
    const { init } = await import('./commands/init.ts');
    await init(config(), options, output);
  });
program
  .command('serve')
  .description(
    'run receivers, sequencer, reports and API in this process until SIGINT or SIGTERM; with --role only one of them',
  )
  .addOption(
    new Option('--role <role>', 'the single role of this process (also AFFIDAVIT_ROLE)').choices(ROLES),
  )
  .option(
    '--init',
    'make the deployment on the first start, as `affidavit init` does; not with a role, and not where origin is configured',
    false,
  )
  .action(async ({ role, init }: { readonly role?: string; readonly init: boolean }) => {
    const { serve } = await import('./commands/serve.ts');
    const given = role === undefined ? {} : { AFFIDAVIT_ROLE: role };
    await serve(config(given), output, stop.signal, { init }).finally(endWithoutLeftovers);
  });
program
  .command('demo')
  .description(
    'replay recorded sessions through a temporary pipeline, make a package, verify it, tamper with a copy',
  )
  .option('--keep', 'keep the data folder of the pipeline', false)
  .action(async (options: { keep: boolean }) => {
    const { demo } = await import('./commands/demo.ts');
    await demo(output, options);
  });
program
  .command('simulate')
  .description(
    'replay the recorded sessions as many people over many days, marked synthetic, in the clients’ own wire ' +
      'formats: one to three sessions a person and day, new ids, shifted times; the same seed makes the same bytes',
  )
  .option('--users <n>', 'number of people', '10')
  .option('--days <n>', 'number of days', '1')
  .option('--seed <text>', 'seed of every random choice; give each of several processes another seed', '1')
  .option('--start <day>', 'first day, in UTC', '2026-01-05')
  .option('--denials <share>', 'share of sessions in which tool calls are denied', '0.05')
  .option(
    '--incidents <share>',
    'share of sessions that are incidents: personal data in tool calls, or a failing model API',
    '0.02',
  )
  .option('--rate <n>', 'maximum of records per second')
  .option(
    '--to <url>',
    'post to these receivers, with AFFIDAVIT_COLLECTOR_TOKEN; without it the requests go to standard output as ' +
      'NDJSON, and the summary to standard error',
  )
  .addOption(json())
  .action(async (options: SimulateOptions) => {
    const { simulate } = await import('./commands/simulate.ts');
    const streams = { lines: process.stdout, notes, output };
    if (!(await simulate(config(), options, streams, stop.signal))) process.exitCode = EXIT.operational;
  });
program
  .command('verify')
  .description(
    'verify an evidence package (ZIP) or an archive folder, offline; with --s3 an archive in a bucket; with --store ' +
      'also compare every row of the record store with the archive; exit code 3 if anything is wrong',
  )
  .argument(
    '[path]',
    'package file or archive folder; with --s3 a bucket, s3://BUCKET/PREFIX, or a prefix that ends in /; the ' +
      'default with --s3 is the configured bucket and prefix, with --store the archive of the deployment',
  )
  .option(
    '--key <vkey>',
    'verifier key that you got separately from the evidence; once for each log',
    (key: string, keys: readonly string[] | undefined) => [...(keys ?? []), key],
  )
  .option(
    '--checkpoint <file>',
    'checkpoint that was kept elsewhere, which the log must extend; may be given several times',
    (file: string, files: readonly string[] | undefined) => [...(files ?? []), file],
  )
  .option(
    '--previous <path>',
    'archive folder, or s3://BUCKET/PREFIX, of the generation before: it must hold the leaves that these logs trust of it',
  )
  .option(
    '--store',
    'also compare the record store of the configured data folder; stop the server first',
    false,
  )
  .option('--s3', 'verify an archive in a bucket; the right to read suffices (AFFIDAVIT_S3_…)', false)
  .option(
    '--open',
    'also open the encrypted parts of an archive with the configured key store (AFFIDAVIT_KEY_STORE_…), and compare them with their leaves',
    false,
  )
  .addOption(json())
  .action(
    async (path: string | undefined, options: VerifyCommandOptions & VerifySource, command: Command) => {
      if (!(await runVerify(path, options, command))) process.exitCode = EXIT.negative;
    },
  );
program
  .command('report')
  .description('make an evidence package for a period')
  .addOption(
    new Option('--framework <name>', 'control framework')
      .choices(FRAMEWORKS.map(({ id }) => id))
      .default('soc2'),
  )
  .option('--from <instant>', 'start of the period, inclusive (default: 90 days before its end)')
  .option('--to <instant>', 'end of the period, exclusive (default: now)')
  .option('--log <name>', 'log to report on, such as p0; required if there are several')
  .option('--out <file>', 'file to write (default: named after framework and period)')
  .option('--url <url>', 'API of a running server; needs AFFIDAVIT_ADMIN_TOKEN')
  .addOption(json())
  .action(async (options: ReportOptions) => {
    const { report } = await import('./commands/report.ts');
    await report(config(), options, output);
  });
program
  .command('rebuild')
  .description('recreate the record store from the archive and the key store alone; stop the server first')
  .option(
    '--discard-rows',
    'also remove rows beyond the end of the archive; they may be the last trace of leaves that the archive lost',
    false,
  )
  .addOption(json())
  .action(async (options: RebuildOptions) => {
    const { rebuild } = await import('./commands/rebuild.ts');
    await rebuild(config(), output, options);
  });
program
  .command('accept-event-log')
  .description(
    'show which event log is there and which one was accepted; with its id, accept one that replaced a lost one; ' +
      'stop the server first; exit code 3 if the event log that is there is not the accepted one',
  )
  .argument('[id]', 'id of the event log that is there')
  .addOption(json())
  .action(async (id: string | undefined, options: { json: boolean }) => {
    const { showOrAcceptEventLog } = await import('./commands/accept-event-log.ts');
    if (!(await showOrAcceptEventLog(config(), output, { id, ...options }))) process.exitCode = EXIT.negative;
  });
declareKeys(program, { config, output });
program
  .command('probe')
  .description(
    'test object lock of an S3 bucket on a throw-away prefix; exit code 3 if the bucket must not hold an archive',
  )
  .option('--bucket <name>', 'bucket with object lock (default: s3.bucket)')
  .option('--endpoint <url>', 'server that speaks S3 (default: s3.endpoint, else AWS)')
  .option('--region <name>', 'region (default: s3.region)')
  .option('--prefix <prefix>', 'prefix of the archive in the bucket, ending in / (default: s3.prefix)')
  .option('--quick', 'only the tests that need not wait, as at the start of the server', false)
  .option('--url <url>', 'receivers that take the report as an event; needs AFFIDAVIT_COLLECTOR_TOKEN')
  .addOption(json())
  .action(async (options: ProbeCommandOptions) => {
    const { probe } = await import('./commands/probe.ts');
    if (!(await probe(config(), options, output))) process.exitCode = EXIT.negative;
  });
declareCollect(program, { config, output, stop: stop.signal, fail });
program
  .command('canary')
  .description(
    'send a made-up event through each source and announce it, so that reports show whether it arrived; ' +
      'run it by a timer, needs AFFIDAVIT_COLLECTOR_TOKEN',
  )
  .requiredOption('--to <url>', 'receivers to post to')
  .option(
    '--through <sources>',
    'one or more of hook, otel, gateway, transcript, joined by commas (default: all)',
  )
  .addOption(json())
  .action(async (options: CanaryOptions) => {
    const { sendCanaries } = await import('./commands/canary.ts');
    if (!(await sendCanaries(config(), options, output))) process.exitCode = EXIT.operational;
  });
program
  .command('hook')
  .description('deliver one hook event from standard input; see affidavit hook --help')
  .helpOption(false)
  .allowUnknownOption()
  .allowExcessArguments()
  .action(async () => {
    await import('./ingest/hook/main.ts');
  });
program
  .command('managed-settings')
  .description(
    'write managed settings that make Claude Code report to these receivers: hooks, telemetry, permissions of a ' +
      'profile; standard error says where the file belongs',
  )
  .addOption(
    new Option('--os <name>', 'operating system of the machines').choices(SYSTEMS).makeOptionMandatory(),
  )
  .requiredOption('--url <url>', 'receivers, as the machines reach them')
  .addOption(
    new Option('--profile <name>', 'profile of the people there').choices(PROFILES).makeOptionMandatory(),
  )
  .option(
    '--identity <key=value>',
    'identity of the person, such as enduser.id=jdoe@example.com; may be given several times',
    (pair: string, pairs: readonly string[]) => [...pairs, pair],
    [],
  )
  .option(
    '--token-variable <name>',
    'environment variable that holds the collector token',
    'AFFIDAVIT_COLLECTOR_TOKEN',
  )
  .option('--token-file <file>', 'write the token from this file into the settings, which everyone can read')
  .option('--node <path>', 'path of Node.js on those machines (default: the path of its installer)')
  .option('--client <path>', 'path of the hook client on those machines (default: a folder for the client)')
  .option('--guards <path>', 'file of guards on those machines; without it there are no guards')
  .option('--enforce', 'block a call if its guard cannot be asked', false)
  .option('--no-transcripts', 'do not send transcripts')
  .option('--with-content', 'let telemetry carry prompts, answers and tool input', false)
  .addOption(
    new Option('--protocol <name>', 'encoding of telemetry')
      .choices(['http/protobuf', 'http/json'])
      .default('http/protobuf'),
  )
  .option('--cleanup-days <n>', 'days for which the client keeps its transcripts', '365')
  .option('--minimum-version <version>', 'oldest version of the client that may start')
  .option('--out <file>', 'file to write (default: standard output)')
  .option('--force', 'overwrite that file', false)
  .action(async (options: ManagedSettingsOptions) => {
    const { writeManagedSettings } = await import('./commands/managed-settings.ts');
    writeManagedSettings(options, output, notes);
  });
program
  .command('config')
  .description('commands for the configuration')
  .command('check')
  .description('validate the configuration and show the values in force')
  .addOption(json())
  .action(async (options: { json: boolean }) => {
    const { configCheck } = await import('./commands/config-check.ts');
    configCheck(config(), output, options);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** The first signal ends the work in hand in good order. For a later signal the system ends the process at once. */
function onStopSignal(): void {
  if (stop.signal.aborted) return;
  stop.abort();
  const leave = (): void => STOP_SIGNALS.forEach((signal) => process.off(signal, onStopSignal));
  setTimeout(leave, SAME_SIGNAL_MS).unref();
}

/** Everything was closed; the Kafka client can leave a connection open that nobody knows any more. */
function endWithoutLeftovers(): void {
  // eslint-disable-next-line no-restricted-properties -- the exit code is the one that was set
  setTimeout(() => process.exit(), LEFTOVERS_MS).unref();
}

interface VerifySource {
  readonly store: boolean;
  readonly s3: boolean;
  readonly open: boolean;
}

/** With --store the parts are opened anyway, because the rows hold them in clear. */
async function runVerify(
  path: string | undefined,
  options: VerifyCommandOptions & VerifySource,
  command: Command,
): Promise<boolean> {
  if (options.open && !options.store) {
    const { withConfiguredKeys } = await import('./commands/verify.ts');
    return withConfiguredKeys(config(), (findKeys) =>
      runVerify(path, { ...options, findKeys, open: false }, command),
    );
  }
  const { previous } = options;
  if (previous !== undefined && options.checkPrevious === undefined) {
    if (options.store) command.error('error: --previous compares archives; leave out --store');
    const { withPrevious } = await import('./commands/verify.ts');
    return withPrevious(config, options, (checkPrevious) =>
      runVerify(path, { ...options, checkPrevious }, command),
    );
  }
  if (options.s3) {
    if (options.store) command.error('error: --store uses the configured bucket by itself; leave out --s3');
    const { verifyS3 } = await import('./commands/verify.ts');
    return verifyS3(config(), path, options, output);
  }
  if (options.store) {
    const { verifyStoreRows } = await import('./commands/verify.ts');
    return verifyStoreRows(config(), path, options, output);
  }
  if (path === undefined) command.error("error: missing required argument 'path' (or --s3 or --store)");
  const { verify } = await import('./commands/verify.ts');
  return verify(path, options, output);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const known = error instanceof PipelineError;
  const text = known ? `${error.message}\n${error.hint}` : String((error as Error).stack ?? error);
  process.stderr.write(`affidavit: ${text}\n`);
  return known && USAGE_CODES.includes(error.code) ? EXIT.usage : EXIT.operational;
}
