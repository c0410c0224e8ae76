/**
 * A client under load: several connections that send new requests, send some again on purpose, and send again what
 * was not answered, as a client does that must not lose anything. Only an answer that was read whole counts as one.
 */
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { COLLECTOR_TOKEN } from '../support/server.ts';
import type { Judge } from './judge.ts';
import { createRandom, type Random } from './random.ts';
import { bodyOf, halves, PATHS, type Load } from './requests.ts';

/** What the client remembers from round to round. */
export interface ClientMemory {
  nextEvent: number;
  /** Sent and not acknowledged; to be sent again. */
  readonly unanswered: Load[];
  /** Acknowledged lately; some are sent again all the same. */
  readonly answered: Load[];
  /** Requests that were acknowledged, refused for now (429, 503), not answered, and sent again. */
  acks: number;
  pushedBack: number;
  cutOff: number;
  resent: number;
}

export interface LoadOptions {
  readonly port: number;
  readonly seed: number;
  readonly connections: number;
  readonly fillerLength: number;
  readonly memory: ClientMemory;
  readonly judge: Pick<Judge, 'acknowledged' | 'falseAlarm'>;
}

export interface RunningLoad {
  /** Resolves at the first acknowledgement, or when the load is stopped. */
  readonly firstAck: Promise<void>;
  /** Sends nothing new, waits for what is on its way. */
  stop(): Promise<void>;
}

const ANSWERED_KEPT = 64;
const OTLP_SHARE = 0.15;
const RESEND_UNANSWERED_SHARE = 0.5;
/** Of what stays unanswered, so much is given up: sealed or not, at most once. */
const ABANDON_SHARE = 0.1;
const RESEND_ANSWERED_SHARE = 0.05;
const SPLIT_SHARE = 0.3;
const AFTER_CUT_OFF_MS = 20;
const AFTER_PUSH_BACK_MS = 40;

export function createClientMemory(): ClientMemory {
  return { nextEvent: 0, unanswered: [], answered: [], acks: 0, pushedBack: 0, cutOff: 0, resent: 0 };
}

export function startLoad(options: LoadOptions): RunningLoad {
  const random = createRandom(options.seed);
  const stopped = new AbortController();
  let acked = (): void => undefined;
  const firstAck = new Promise<void>((resolve) => (acked = resolve));
  stopped.signal.addEventListener('abort', () => acked(), { once: true });
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections });
  const workers = Array.from({ length: options.connections }, async () => {
    while (!stopped.signal.aborted) {
      for (const load of nextLoads(options, random)) {
        const status = await send(agent, options.port, load);
        await settle(load, status, options, random, acked);
      }
      await delay(random.whole(0, 8));
    }
  });
  return {
    firstAck,
    async stop() {
      stopped.abort();
      await Promise.all(workers);
      agent.destroy();
    },
  };
}

function nextLoads({ memory, fillerLength }: LoadOptions, random: Random): readonly Load[] {
  const again = pickAgain(memory, random);
  if (again !== undefined) {
    memory.resent += 1;
    return random.chance(SPLIT_SHARE) ? halves(again) : [again];
  }
  const kind = random.chance(OTLP_SHARE) ? 'otlp' : 'hook';
  const count = kind === 'otlp' ? random.whole(2, 25) : 1;
  const first = memory.nextEvent;
  memory.nextEvent += count;
  return [{ kind, first, count, fillerLength }];
}

function pickAgain({ unanswered, answered }: ClientMemory, random: Random): Load | undefined {
  if (unanswered.length > 0 && random.chance(RESEND_UNANSWERED_SHARE)) return unanswered.shift();
  if (answered.length > 0 && random.chance(RESEND_ANSWERED_SHARE))
    return answered[random.whole(0, answered.length - 1)];
  return undefined;
}

async function settle(
  load: Load,
  status: number | undefined,
  { memory, judge }: LoadOptions,
  random: Random,
  acked: () => void,
): Promise<void> {
  if (status !== undefined && status >= 200 && status < 300) {
    for (let event = load.first; event < load.first + load.count; event += 1) judge.acknowledged(event);
    memory.acks += 1;
    memory.answered.push(load);
    if (memory.answered.length > ANSWERED_KEPT) memory.answered.shift();
    acked();
    return;
  }
  if (!random.chance(ABANDON_SHARE)) memory.unanswered.push(load);
  if (status === undefined) {
    memory.cutOff += 1;
    await delay(AFTER_CUT_OFF_MS);
  } else if (status === 503 || status === 429) {
    memory.pushedBack += 1;
    await delay(AFTER_PUSH_BACK_MS);
  } else {
    judge.falseAlarm(`a good request to ${PATHS[load.kind]} was answered ${status}`);
  }
}

/** The status of an answer that was read to its end, or undefined if the connection ended before. */
function send(agent: Agent, port: number, load: Load): Promise<number | undefined> {
  const body = bodyOf(load);
  const headers = {
    authorization: `Bearer ${COLLECTOR_TOKEN}`,
    'content-type': 'application/json',
    'content-length': body.length,
  };
  return new Promise((resolve) => {
    const options = { agent, port, host: '127.0.0.1', method: 'POST', path: PATHS[load.kind], headers };
    const sent = httpRequest(options, (answer) => {
      answer.resume();
      answer.once('close', () => resolve(answer.complete ? answer.statusCode : undefined));
    });
    sent.once('error', () => resolve(undefined));
    sent.end(body);
  });
}
