/** Membership of a consumer group over `GroupMember`, with one loop that fetches for each partition that has a reader. */
import type { Base, BaseOptions } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Assignment,
  FetchedBatch,
  Hold,
  Membership,
  MembershipOptions,
  OffsetReader,
  PartitionReader,
} from '../../../ingest/kafka/client.ts';
import { toPipelineError, withDeadline } from '../../../ingest/kafka/errors.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { endsClaim, kindOf } from './errors.ts';
import { Fetcher, type Fetched } from './fetcher.ts';
import { GroupMember } from './group-member.ts';

export interface PlatformaticMembershipOptions extends MembershipOptions {
  readonly offsets: OffsetReader;
}

type Listener = (assignment: Assignment) => void;

const LINGER_MS = 3_000;
const HEARTBEAT_MS = 1_000;
const PAUSE_MS = 200;
const JOIN_MARGIN_MS = 30_000;
const NO_PARTITIONS: ReadonlySet<number> = new Set();

/** Joins nothing yet. */
export function createMembership(
  base: Base,
  library: BaseOptions,
  options: PlatformaticMembershipOptions,
): Membership {
  return new PlatformaticMembership(base, library, options);
}

/** The time between two changes of the group. */
interface Term {
  readonly member: GroupMember;
  readonly generation: number;
  readonly assigned: ReadonlySet<number>;
  /** Aborted when the partitions may move: no further batch is handed on. */
  readonly over: AbortController;
  /** The loops of its partitions; each ends after its batch in hand. */
  readonly loops: Set<Promise<void>>;
}

/** From joining the group to leaving it. */
interface Session {
  readonly joined: Promise<void>;
  readonly ended: Promise<void>;
  readonly stop: AbortController;
}

class PlatformaticMembership implements Membership {
  readonly #base: Base;
  readonly #library: BaseOptions;
  readonly #options: PlatformaticMembershipOptions;
  readonly #readers = new Map<number, PartitionReader>();
  readonly #listeners = new Set<Listener>();
  /** Set by `hold`; cleared by `#leave`. */
  #session: Session | undefined;
  /** Set by `#onJoined`; cleared by `#forget`. */
  #term: Term | undefined;
  #memberId: string | undefined;
  #holds = 0;
  #linger: NodeJS.Timeout | undefined;

  constructor(base: Base, library: BaseOptions, options: PlatformaticMembershipOptions) {
    this.#base = base;
    this.#library = library;
    this.#options = options;
  }

  hold(): Hold {
    this.#holds += 1;
    clearTimeout(this.#linger);
    const { joined } = (this.#session ??= this.#open());
    return { joined, release: () => this.#release() };
  }

  attach(partition: number, reader: PartitionReader): () => void {
    this.#readers.set(partition, reader);
    if (this.#term?.assigned.has(partition) === true) this.#read(this.#term, partition, reader);
    return () => {
      if (this.#readers.get(partition) === reader) this.#readers.delete(partition);
    };
  }

  async commit(partition: number, next: bigint): Promise<void> {
    const term = this.#term;
    if (term === undefined) throw new PipelineError('LOG_UNAVAILABLE', 'consumer group: not joined');
    await term.member.commit(term.generation, partition, next);
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener({ assigned: this.#term?.assigned ?? NO_PARTITIONS, lost: NO_PARTITIONS });
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    clearTimeout(this.#linger);
    await this.#leave();
    await this.#base.close();
  }

  #release(): void {
    this.#holds -= 1;
    if (this.#holds > 0) return;
    this.#linger = setTimeout(() => void this.#leave(), LINGER_MS).unref();
  }

  async #leave(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    session.stop.abort();
    await session.ended;
    if (this.#session === session) this.#session = undefined;
  }

  #open(): Session {
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const stop = new AbortController();
    let onJoined: () => void = () => undefined;
    const first = new Promise<void>((resolve) => (onJoined = resolve));
    const ended = this.#live(stop.signal, onJoined);
    // Where the group is left before it was joined, nothing is to be waited for either.
    const settled = Promise.race([first, ended]);
    const deadlineMs = sessionTimeoutMs + rebalanceTimeoutMs + JOIN_MARGIN_MS;
    const joined = withDeadline(settled, deadlineMs, 'consumer group');
    joined.catch(() => undefined);
    return { joined, stop, ended };
  }

  /** Joins, stays until the claim ends, waits for the batches in hand, and joins again. */
  async #live(stopped: AbortSignal, onJoined: () => void): Promise<void> {
    const member = new GroupMember(this.#library, this.#options);
    while (!stopped.aborted) {
      try {
        const assigned = await member.join();
        if (isAborted(stopped)) break;
        const term = this.#onJoined(member, assigned);
        onJoined();
        await this.#stay(term, stopped);
      } catch (error) {
        if (kindOf(error) === 'UNKNOWN_MEMBER_ID') member.forgetId();
        await sleep(PAUSE_MS);
      }
    }
    this.#term?.over.abort();
    await Promise.all([...(this.#term?.loops ?? [])]);
    this.#forget(new PipelineError('LOG_UNAVAILABLE', 'the consumer group was left'));
    await member.leave();
  }

  #onJoined(member: GroupMember, assigned: ReadonlySet<number>): Term {
    const { memberId, generation } = member;
    const wasAway = memberId !== this.#memberId;
    const before = this.#term?.assigned ?? NO_PARTITIONS;
    const lost = new Set([...before].filter((partition) => wasAway || !assigned.has(partition)));
    const term: Term = { member, generation, assigned, over: new AbortController(), loops: new Set() };
    this.#memberId = memberId;
    this.#term = term;
    this.#options.logger.info({ partitions: [...assigned], lost: [...lost] }, 'partitions assigned');
    for (const listener of this.#listeners) listener({ assigned, lost });
    for (const partition of lost) {
      const reader = this.#readers.get(partition);
      this.#readers.delete(partition);
      reader?.lose(
        new PipelineError('LOG_UNAVAILABLE', `partition ${partition} may have been with another process`),
      );
    }
    for (const [partition, reader] of this.#readers) {
      if (assigned.has(partition)) this.#read(term, partition, reader);
    }
    return term;
  }

  #forget(reason: PipelineError): void {
    const lost = this.#term?.assigned ?? NO_PARTITIONS;
    this.#term = undefined;
    this.#memberId = undefined;
    for (const listener of this.#listeners) listener({ assigned: NO_PARTITIONS, lost });
    const readers = [...this.#readers.values()];
    this.#readers.clear();
    for (const reader of readers) reader.lose(reason);
  }

  /**
   * Heartbeats until the claim ends and no batch is in hand any more. A member that the group waits for stays alive by
   * them; one that was put out only waits for its batches.
   */
  async #stay({ member, over, loops }: Term, stopped: AbortSignal): Promise<void> {
    let aliveAtMs = performance.now();
    let isMember = true;
    while (!stopped.aborted && (!over.signal.aborted || loops.size > 0)) {
      if (over.signal.aborted) await Promise.race([pause(HEARTBEAT_MS, stopped), ...loops]);
      else await pause(HEARTBEAT_MS, AbortSignal.any([stopped, over.signal]));
      if (isAborted(stopped) || !isMember) continue;
      try {
        await member.heartbeat();
        aliveAtMs = performance.now();
      } catch (error) {
        if (kindOf(error) === 'UNKNOWN_MEMBER_ID') {
          isMember = false;
          member.forgetId();
        }
        if (endsClaim(error) || performance.now() - aliveAtMs > this.#options.sessionTimeoutMs) over.abort();
      }
    }
  }

  #read(term: Term, partition: number, reader: PartitionReader): void {
    const isOver = (): boolean => term.over.signal.aborted || this.#readers.get(partition) !== reader;
    const loop = this.#fetchUntil(isOver, term, partition, reader).catch((error: unknown) =>
      reader.lose(toPipelineError(error, 'consumer group')),
    );
    term.loops.add(loop);
    void loop.then(() => term.loops.delete(loop));
  }

  async #fetchUntil(
    isOver: () => boolean,
    term: Term,
    partition: number,
    reader: PartitionReader,
  ): Promise<void> {
    const { topic, offsets, lingerMs } = this.#options;
    const fetcher = new Fetcher(this.#base, this.#library, { topic, partition, offsets, lingerMs });
    let position = reader.next();
    while (!isOver()) {
      const fetched = await fetcher.fetch(position).catch(() => undefined);
      if (isOver()) break;
      if (fetched === undefined) {
        await sleep(PAUSE_MS);
        continue;
      }
      const last = fetched.messages.at(-1);
      if (last !== undefined) await reader.take(toBatch(term, partition, fetched));
      const isDone = last === undefined || reader.next() === last.offset + 1n;
      position = isDone ? fetched.next : reader.next();
    }
    await fetcher.close();
  }
}

function toBatch({ member, generation, over }: Term, partition: number, fetched: Fetched): FetchedBatch {
  return {
    partition,
    messages: fetched.messages,
    next: fetched.next,
    isHeld: () => !over.signal.aborted,
    commit: async (next) => {
      try {
        await member.commit(generation, partition, next);
        return true;
      } catch (error) {
        if (!endsClaim(error)) throw error;
        over.abort();
        return false;
      }
    },
  };
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Ends early when the signal is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
