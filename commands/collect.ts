/** The options of `affidavit collect` and its subcommands, one for each system that records are pulled from. */
import { Option, type Command } from 'commander';
import type { Config } from '../config.ts';
import type { CollectGatewayOptions } from './collect-gateway.ts';
import type {
  ComplianceApiCommandOptions,
  GithubAuditLogCommandOptions,
  GithubDeliveriesCommandOptions,
} from './collect-platforms.ts';
import type { Output } from './output.ts';

/** The parts of the command line that its subcommands share. */
export interface CommandContext {
  /** Reads the configuration when the command runs; throws CONFIG_INVALID. */
  readonly config: () => Config;
  readonly output: Output;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly stop: AbortSignal;
  /** Ends the process with exit code 1 once the command has returned. */
  readonly fail: () => void;
}

const json = () => new Option('--json', 'print one JSON object instead of text').default(false);

export function declareCollect(program: Command, context: CommandContext): void {
  const collect = program
    .command('collect')
    .description('pull records of other systems into the log; needs AFFIDAVIT_COLLECTOR_TOKEN');
  declareComplianceApi(collect, context);
  declareGateway(collect, context);
  declareGithubDeliveries(collect, context);
  declareGithubAuditLog(collect, context);
}

function declareComplianceApi(collect: Command, { config, output, stop }: CommandContext): void {
  collect
    .command('compliance-api')
    .description("pull an organisation's activities from Anthropic's compliance API, once; run it by a timer")
    .requiredOption('--key-file <file>', 'file with the key of the platform')
    .requiredOption('--to <url>', 'receivers to post to')
    .option('--url <url>', 'base URL of the platform', 'https://api.anthropic.com')
    .option('--cursor <file>', 'file of the cursor (default: collect/compliance-api.json in the data folder)')
    .option('--since <instant>', 'where the first pull begins (default: the oldest entry)')
    .option('--page-size <n>', 'activities in one page, at most 5000', '1000')
    .addOption(json())
    .action(async (options: ComplianceApiCommandOptions) => {
      const { collectComplianceApi } = await import('./collect-platforms.ts');
      await collectComplianceApi(config(), options, output, stop);
    });
}

function declareGateway(collect: Command, { config, output, stop, fail }: CommandContext): void {
  collect
    .command('gateway')
    .description(
      'deliver the logs of a gateway from a folder, a bucket or a topic; delivered items are remembered',
    )
    .argument('<name>', 'name of the gateway, as in /v1/gateways/NAME')
    .requiredOption(
      '--from <source>',
      'folder, s3://BUCKET/PREFIX (endpoint and keys of AFFIDAVIT_S3_…), or kafka://BROKER,BROKER/TOPIC?group=NAME',
    )
    .requiredOption('--to <url>', 'receivers to post to')
    .option('--state <file>', 'file of the state (default: one for each source, in the data folder)')
    .option('--follow <seconds>', 'look again after so long, until SIGINT or SIGTERM; without it once')
    .option('--once', 'for a topic: end behind the messages that are there at the start', false)
    .addOption(json())
    .action(async (name: string, options: CollectGatewayOptions) => {
      const { collectGateway } = await import('./collect-gateway.ts');
      if (!(await collectGateway(config(), name, options, output, stop))) {
        fail();
      }
    });
}

function declareGithubDeliveries(collect: Command, { config, output, stop, fail }: CommandContext): void {
  collect
    .command('github-deliveries')
    .description(
      'find deliveries of a GitHub webhook that never arrived and ask for them again, once; run it by a timer',
    )
    .option('--repo <owner/name>', 'repository of the webhook')
    .option('--org <name>', 'organisation of the webhook')
    .option('--app', 'webhook of the app that the token belongs to; the token is a JSON web token')
    .option('--hook <id>', 'number of the webhook, as in the address of its page')
    .requiredOption('--token-file <file>', 'file with a GitHub token that may manage the webhook')
    .requiredOption('--to <url>', 'receivers that take the report of the run')
    .option(
      '--api-url <url>',
      'base URL of GitHub; for an enterprise server https://HOST/api/v3',
      'https://api.github.com',
    )
    .option(
      '--state <file>',
      'file of the state, which deliveries were reported as lost (default: in collect/ in the data folder)',
    )
    .option('--dry-run', 'only list the deliveries that would be asked for', false)
    .addOption(json())
    .action(async (options: GithubDeliveriesCommandOptions) => {
      const { collectGithubDeliveries } = await import('./collect-platforms.ts');
      if (!(await collectGithubDeliveries(config(), options, output, stop))) {
        fail();
      }
    });
}

function declareGithubAuditLog(collect: Command, { config, output, stop }: CommandContext): void {
  collect
    .command('github-audit-log')
    .description('pull the audit log of a GitHub organisation or enterprise, once; run it by a timer')
    .option('--org <name>', 'organisation')
    .option('--enterprise <slug>', 'enterprise')
    .requiredOption('--token-file <file>', 'file with a GitHub token that may read the audit log')
    .requiredOption('--to <url>', 'receivers to post to')
    .option(
      '--api-url <url>',
      'base URL of GitHub; for an enterprise server https://HOST/api/v3',
      'https://api.github.com',
    )
    .option('--include <kinds>', 'web, git or all', 'all')
    .option('--phrase <words>', 'narrows the events, in the words of a GitHub search')
    .option('--since <instant>', 'where the first pull begins (default: the oldest entry)')
    .option('--cursor <file>', 'file of the cursor (default: in collect/ in the data folder)')
    .addOption(json())
    .action(async (options: GithubAuditLogCommandOptions) => {
      const { collectGithubAuditLog } = await import('./collect-platforms.ts');
      await collectGithubAuditLog(config(), options, output, stop);
    });
}
