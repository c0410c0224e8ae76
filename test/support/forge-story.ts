import { createNormaliser } from '../../ingest/normalise.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import type { EnvelopeSource } from '../../connectors/sources/index.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { githubExamples } from './github-deliveries.ts';

export const REPOSITORY = 'Codertocat/Hello-World';
const START_MS = Date.UTC(2026, 2, 2, 9);

/** The instant of a minute of the story. */
export const at = (minute: number): string =>
  new Date(START_MS + minute * 60_000).toISOString().replace('.000Z', 'Z');

/** A full commit id that begins as told. */
export const commitId = (start: string): string => start.padEnd(40, '0');

type Payload = Record<string, unknown>;

/** The first recorded payload of the event with these members, to be changed where the story says otherwise. */
function example(event: string, members: object): Payload {
  const found = githubExamples().find(
    (one) =>
      one.set === 'api.github.com' &&
      one.event === event &&
      Object.entries(members).every(([name, value]) => one.payload[name] === value),
  );
  if (found === undefined) throw new Error(`no example of ${event}`);
  return structuredClone(found.payload);
}

const EXAMPLES = {
  push: example('push', { ref: 'refs/heads/master' }),
  pull: example('pull_request', { action: 'opened' }),
  review: example('pull_request_review', { action: 'submitted' }),
  check: example('check_run', { action: 'completed' }),
};

interface GitlabStep {
  readonly by?: string;
  readonly head?: string;
  readonly merge_commit_sha?: string;
  readonly system_action?: string;
}

interface Pull {
  readonly number: number;
  readonly author?: string;
  readonly head: string;
  readonly branch?: string;
  readonly base?: string;
}

/**
 * What a forge, and the agents whose work it gets, send one after the other, as the real connectors and the real
 * normaliser read it. Every step takes the minute in which it happened.
 */
export function forgeStory() {
  const normalise = createNormaliser({
    surrogates: createSurrogates(new Uint8Array(32).fill(7)),
  });
  const records: AuditRecord[] = [];
  let deliveries = 0;

  function take(source: EnvelopeSource, minute: number, body: object, more: Partial<Envelope> = {}): void {
    const envelope: Envelope = {
      v: 1,
      envelope_id: `envelope-${records.length}`,
      source,
      receiver: 'test',
      principal: 'laptop-1',
      received_at: at(minute).replace('Z', '.000Z'),
      content_type: 'application/json',
      item_count: 1,
      idempotency_key: null,
      body: Buffer.from(JSON.stringify(body)),
      ...more,
    };
    records.push(...normalise(envelope).records);
  }

  function deliver(event: string, minute: number, payload: object): void {
    const idempotency_key = `delivery-${(deliveries += 1)}`;
    take('github', minute, payload, { event_name: event, idempotency_key, principal: 'webhook:github' });
  }

  function pullOf({ number, author = 'ann', head, branch = `topic-${number}`, base = 'master' }: Pull) {
    const pull = EXAMPLES.pull['pull_request'] as Record<string, Payload>;
    return {
      ...pull,
      number,
      user: { login: author },
      head: { ...pull['head'], ref: branch, sha: commitId(head) },
      base: { ...pull['base'], ref: base },
    };
  }

  return {
    records: records as readonly AuditRecord[],

    /** The telemetry of a call that made a commit. */
    agentCommits(minute: number, commit: string, { session = 's1', user = 'ann@example.com' } = {}) {
      const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
      const attributes = [
        attribute('event.name', 'tool_result'),
        attribute('event.timestamp', at(minute)),
        attribute('session.id', session),
        attribute('user.email', user),
        attribute('tool_name', 'Bash'),
        attribute('tool_use_id', `toolu-${commit}`),
        attribute('success', 'true'),
        attribute('tool_parameters', JSON.stringify({ bash_command: 'git commit', git_commit_id: commit })),
      ];
      const logRecords = [{ body: { stringValue: 'claude_code.tool_result' }, attributes }];
      take('otlp-logs', minute, {
        resourceLogs: [{ scopeLogs: [{ scope: { name: 'com.anthropic.claude_code.events' }, logRecords }] }],
      });
    },

    pushed(
      minute: number,
      branch: string,
      commits: readonly string[],
      { by = 'ann', head = commits.at(-1)!, author = 'ann', fork = false } = {},
    ) {
      const commit = (EXAMPLES.push['commits'] as Record<string, object>[])[0]!;
      deliver('push', minute, {
        ...EXAMPLES.push,
        ref: `refs/heads/${branch}`,
        after: commitId(head),
        repository: {
          ...(EXAMPLES.push['repository'] as object),
          pushed_at: Date.parse(at(minute)) / 1000,
          fork,
        },
        sender: { login: by },
        commits: commits.map((id) => ({
          ...commit,
          id: commitId(id),
          author: { ...commit['author'], username: author },
        })),
      });
    },

    pull(minute: number, action: 'opened' | 'synchronize' | 'reopened' | 'closed', pull: Pull) {
      const { author = 'ann' } = pull;
      deliver('pull_request', minute, {
        ...EXAMPLES.pull,
        action,
        number: pull.number,
        pull_request: { ...pullOf(pull), updated_at: at(minute), closed_at: at(minute) },
        sender: { login: author },
      });
    },

    merged(minute: number, pull: Pull & { readonly as: string; readonly by?: string }) {
      const merge = { merged: true, merged_at: at(minute), updated_at: at(minute) };
      deliver('pull_request', minute, {
        ...EXAMPLES.pull,
        action: 'closed',
        number: pull.number,
        pull_request: { ...pullOf(pull), ...merge, merge_commit_sha: commitId(pull.as) },
        sender: { login: pull.by ?? 'bob' },
      });
    },

    /** `dismissed` by whoever is named `by`; all else by the reviewer. */
    reviewed(
      minute: number,
      pull: Pull,
      review: {
        readonly id: number;
        readonly reviewer: string;
        readonly state: string;
        readonly by?: string;
        /** The commit that was reviewed. @default the head */
        readonly of?: string;
      },
    ) {
      const { id, reviewer, state, by = reviewer, of = pull.head } = review;
      deliver('pull_request_review', minute, {
        ...EXAMPLES.review,
        action: state === 'dismissed' ? 'dismissed' : 'submitted',
        review: {
          ...(EXAMPLES.review['review'] as object),
          ...{ id, state, commit_id: commitId(of), user: { login: reviewer } },
          ...{ submitted_at: at(minute), updated_at: at(minute) },
        },
        pull_request: pullOf(pull),
        sender: { login: by },
      });
    },

    /** An event of a merge request of GitLab; Ann, whose number is 4, is the author. */
    gitlab(minute: number, action: string, { by = 'ann', head = 'bb', ...more }: GitlabStep = {}) {
      const user = { id: by === 'ann' ? 4 : 7, username: by };
      const attributes = {
        iid: 7,
        author_id: 4,
        target_branch: 'main',
        source_branch: 'topic',
        action,
        ...more,
      };
      take('gitlab', minute, {
        object_kind: 'merge_request',
        user,
        project: { path_with_namespace: 'group/web', default_branch: 'main' },
        object_attributes: {
          ...attributes,
          source: { path_with_namespace: 'group/web' },
          updated_at: at(minute),
          last_commit: { id: commitId(head) },
        },
      });
    },

    gitlabPushed(minute: number, branch: string, commits: readonly string[]) {
      take('gitlab', minute, {
        object_kind: 'push',
        after: commitId(commits.at(-1)!),
        ref: `refs/heads/${branch}`,
        user_username: 'ann',
        project: { path_with_namespace: 'group/web', default_branch: 'main' },
        commits: commits.map((id) => ({ id: commitId(id) })),
      });
    },

    checked(minute: number, head: string, name: string, conclusion: string) {
      deliver('check_run', minute, {
        ...EXAMPLES.check,
        check_run: {
          ...(EXAMPLES.check['check_run'] as object),
          ...{ name, conclusion, head_sha: commitId(head), completed_at: at(minute), pull_requests: [] },
        },
      });
    },
  };
}
