/**
 * One member of a consumer group, over the library's protocol requests. Its `Consumer` is not used: that joins again
 * while a batch is in hand, so a partition moves before the batch is done, and it repeats a commit that the brokers
 * refused under the new generation, so an offset can go back.
 */
import {
  ConnectionPool,
  findCoordinatorV6,
  FindCoordinatorKeyTypes,
  heartbeatV4,
  joinGroupV9,
  leaveGroupV5,
  offsetCommitV9,
  parseBroker,
  syncGroupV5,
  type BaseOptions,
  type Broker,
  type Connection,
} from '@platformatic/kafka';
import type { MembershipOptions } from '../../../ingest/kafka/client.ts';
import { coordinatorMoves, kindOf, toFailure } from './errors.ts';
import { decodeAssignment, encodeAssignment, encodeSubscription } from './group-protocol.ts';

const PROTOCOL_TYPE = 'consumer';
const PROTOCOL = 'RoundRobinAssigner';
const REQUEST_MARGIN_MS = 30_000;
const DEFAULT_PORT = 9092;

export class GroupMember {
  readonly #options: MembershipOptions;
  readonly #bootstrap: Broker[];
  readonly #connections: ConnectionPool;
  /** Found by `#request`, and forgotten when it fails. */
  #coordinator: Broker | undefined;
  /** Given by the group in `join`. */
  #memberId = '';
  #generation = -1;

  constructor(library: BaseOptions, options: MembershipOptions) {
    this.#options = options;
    this.#bootstrap = library.bootstrapBrokers.map((one) => parseBroker(one, DEFAULT_PORT));
    const requestTimeout = options.rebalanceTimeoutMs + REQUEST_MARGIN_MS;
    this.#connections = new ConnectionPool(library.clientId, { ...library, requestTimeout });
  }

  get memberId(): string {
    return this.#memberId;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Resolves with the partitions that the group assigns to this member. */
  async join(): Promise<ReadonlySet<number>> {
    const joined = await this.#joinOnce().catch((error: unknown) => {
      const given = memberIdIn(error);
      if (kindOf(error) !== 'MEMBER_ID_REQUIRED' || given === undefined) throw error;
      this.#memberId = given;
      return this.#joinOnce();
    });
    this.#memberId = joined.memberId ?? '';
    this.#generation = joined.generationId;
    const isLeader = joined.leader === this.#memberId;
    const assignments = isLeader ? this.#assign(joined.members.map(({ memberId }) => memberId)) : [];
    const { groupId, topic } = this.#options;
    const synced = await this.#request((connection) =>
      syncGroupV5.api.async(
        connection,
        groupId,
        this.#generation,
        this.#memberId,
        null,
        PROTOCOL_TYPE,
        PROTOCOL,
        assignments,
      ),
    );
    return new Set(decodeAssignment(synced.assignment).get(topic) ?? []);
  }

  /** The group put this member out, so it joins as a new one. */
  forgetId(): void {
    this.#memberId = '';
    this.#generation = -1;
  }

  async heartbeat(): Promise<void> {
    const { groupId } = this.#options;
    await this.#request((connection) =>
      heartbeatV4.api.async(connection, groupId, this.#generation, this.#memberId, null),
    );
  }

  /** Commits under the generation in which the messages were fetched, so an outdated one is refused. */
  async commit(generation: number, partition: number, next: bigint): Promise<void> {
    const { groupId, topic } = this.#options;
    const offset = { partitionIndex: partition, committedOffset: next, committedLeaderEpoch: -1 };
    const topics = [{ name: topic, partitions: [offset] }];
    await this.#request((connection) =>
      offsetCommitV9.api.async(connection, groupId, generation, this.#memberId, null, topics),
    );
  }

  async leave(): Promise<void> {
    const { groupId } = this.#options;
    if (this.#memberId !== '') {
      const members = [{ memberId: this.#memberId }];
      await this.#request((connection) => leaveGroupV5.api.async(connection, groupId, members)).catch(
        () => undefined,
      );
    }
    await this.#connections.close();
  }

  #joinOnce(): Promise<joinGroupV9.JoinGroupResponse> {
    const { groupId, topic, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const protocols = [{ name: PROTOCOL, metadata: encodeSubscription(topic) }];
    return this.#request((connection) =>
      joinGroupV9.api.async(
        connection,
        groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        this.#memberId,
        null,
        PROTOCOL_TYPE,
        protocols,
        null,
      ),
    );
  }

  /** Partitions in turn over the members in the order of their ids. */
  #assign(members: readonly string[]): { memberId: string; assignment: Buffer }[] {
    const { topic, partitions } = this.#options;
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    return [...members].sort().map((memberId, index) => ({
      memberId,
      assignment: encodeAssignment(
        topic,
        all.filter((partition) => partition % members.length === index),
      ),
    }));
  }

  /** Sends to the coordinator of the group, which is looked for again after a failure of the connection. */
  async #request<T>(send: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      this.#coordinator ??= await this.#findCoordinator();
      return await send(await this.#connections.get(this.#coordinator));
    } catch (error) {
      if (!isAnswer(error) || coordinatorMoves(error)) this.#coordinator = undefined;
      throw toFailure(error);
    }
  }

  async #findCoordinator(): Promise<Broker> {
    const { groupId } = this.#options;
    const connection = await this.#connections.getFirstAvailable(this.#bootstrap);
    const found = await findCoordinatorV6.api.async(connection, FindCoordinatorKeyTypes.GROUP, [groupId]);
    const [coordinator] = found.coordinators;
    if (coordinator === undefined) throw new Error(`group ${groupId} has no coordinator`);
    return { host: coordinator.host, port: coordinator.port };
  }
}

interface ErrorWithAnswer extends Error {
  readonly response?: { readonly memberId?: unknown };
}

function isAnswer(error: unknown): boolean {
  return error instanceof Error && (error as ErrorWithAnswer).response !== undefined;
}

function memberIdIn(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const answered = isAnswer(error) ? error : error.cause;
  const memberId = isAnswer(answered) ? (answered as ErrorWithAnswer).response?.memberId : undefined;
  return typeof memberId === 'string' ? memberId : undefined;
}
