/** A few hooks a second, and how long each takes until it can be queried. */
import { setTimeout as delay } from 'node:timers/promises';
import { getJson, post, type TestServer } from './server.ts';

export interface TrickleOptions {
  readonly seconds: number;
  readonly perSecond: number;
  /** Whether each hook is looked for until it can be queried, which costs the server some work. @default true */
  readonly watch?: boolean;
}

export interface TrickleResult {
  /** From sending a hook to its answer. */
  readonly answersMs: readonly number[];
  /** From the answer to the first query that finds the record; empty if nobody looked. */
  readonly delaysMs: readonly number[];
}

interface FoundRecord {
  readonly received_at: string;
  readonly facts: { readonly tool_use_id?: string };
}

/** How often the API is asked for records that are still missing. */
const LOOK_MS = 100;
/** A hook that cannot be queried after so long is an error. */
const DEADLINE_MS = 30_000;

/** Sends hooks of one new session at an even pace, whatever their answers take. */
export async function sendTrickle(
  server: Pick<TestServer, 'ingestUrl' | 'apiUrl'>,
  { seconds, perSecond, watch = true }: TrickleOptions,
): Promise<TrickleResult> {
  const session = `trickle-${String(Date.now())}`;
  const answersMs: number[] = [];
  const answeredAtMs = new Map<string, number>();
  const count = Math.round(seconds * perSecond);
  const beganAtMs = performance.now();
  const watching = new Watch(server, session, answeredAtMs);
  const watched = watch ? watching.untilFound(count) : Promise.resolve([]);
  watched.catch(() => undefined);
  const sent: Promise<void>[] = [];
  for (let n = 0; n < count; n += 1) {
    await delay(Math.max(0, beganAtMs + (n * 1000) / perSecond - performance.now()));
    sent.push(
      sendHook(server, session, n).then((answerMs) => {
        answersMs.push(answerMs);
        answeredAtMs.set(toolUseId(n), performance.now());
      }),
    );
  }
  await Promise.all(sent);
  return { answersMs, delaysMs: await watched };
}

async function sendHook(server: Pick<TestServer, 'ingestUrl'>, session: string, n: number): Promise<number> {
  const sentAtMs = performance.now();
  const answer = await post(server, {
    path: '/v1/hooks/claude-code',
    contentType: 'application/json',
    body: JSON.stringify({
      session_id: session,
      hook_event_name: 'PreToolUse',
      tool_name: 'Bash',
      tool_use_id: toolUseId(n),
      tool_input: { command: `git log --oneline -n ${String(n)}`, description: 'Show the newest commits' },
      cwd: '/home/dev/project',
      permission_mode: 'default',
    }),
  });
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`a hook was answered ${String(answer.status)}`);
  return performance.now() - sentAtMs;
}

function toolUseId(n: number): string {
  return `toolu_${String(n).padStart(8, '0')}`;
}

/** Looks for the records of one session. */
class Watch {
  readonly #server: Pick<TestServer, 'apiUrl'>;
  readonly #session: string;
  readonly #answeredAtMs: ReadonlyMap<string, number>;
  readonly #found = new Map<string, number>();

  constructor(
    server: Pick<TestServer, 'apiUrl'>,
    session: string,
    answeredAtMs: ReadonlyMap<string, number>,
  ) {
    this.#server = server;
    this.#session = session;
    this.#answeredAtMs = answeredAtMs;
  }

  /** Resolves with the delay of each of `count` records. */
  async untilFound(count: number): Promise<number[]> {
    let lastFoundAtMs = performance.now();
    while (this.#found.size < count) {
      await delay(LOOK_MS);
      if ((await this.#look()) > 0) lastFoundAtMs = performance.now();
      if (performance.now() - lastFoundAtMs > DEADLINE_MS) throw new Error('hooks cannot be queried');
    }
    return [...this.#found.values()];
  }

  /** Asks for the oldest that is missing, and for the others only once it was found. */
  async #look(): Promise<number> {
    const missing = [...this.#answeredAtMs].find(([id]) => !this.#found.has(id));
    if (missing === undefined) return 0;
    const first = await this.#list(`&tool_use_id=${missing[0]}`);
    if (first.length === 0) return 0;
    // A bundle made it visible, and others with it.
    const seenAtMs = performance.now();
    let count = 0;
    for (const { facts } of await this.#list(`&received_from=${first[0]!.received_at}`)) {
      const answeredAtMs = this.#answeredAtMs.get(facts.tool_use_id ?? '');
      if (answeredAtMs === undefined || this.#found.has(facts.tool_use_id!)) continue;
      this.#found.set(facts.tool_use_id!, seenAtMs - answeredAtMs);
      count += 1;
    }
    return count;
  }

  async #list(filters: string): Promise<FoundRecord[]> {
    const path = `/v1/records?session_id=${this.#session}&limit=100${filters}`;
    return (await getJson<{ data: FoundRecord[] }>(this.#server, path)).data;
  }
}
