import type { ConnectionOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { Clock } from '../../schemas/clock.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import type { Numbering } from '../frame-writer.ts';

export interface KafkaCredentials {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/** How to reach the brokers. */
export interface KafkaConnection {
  /** `host:port` of some of them; the others are found through these. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** `true` trusts the authorities of the system. @default false */
  readonly ssl?: boolean | ConnectionOptions;
  readonly sasl?: KafkaCredentials;
  readonly logger: Logger;
}

/** The wanted state of the topics. They are created so, or, where they exist, must be so already. */
export interface KafkaTopics {
  readonly topic: string;
  /** @default the topic's name and `.dead-letters` */
  readonly deadLetterTopic?: string;
  /** Whether missing topics are created. Once a ledger was begun a missing topic is a loss, and better refused. */
  readonly createTopics: boolean;
  /** Fixed for good: a session's records keep their order only while its key keeps its partition. */
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly minInSyncReplicas: number;
  /** Time that the sequencer may be away before envelopes are lost. */
  readonly minRetentionMs: number;
  /** The largest envelope to take, header and inflated body. */
  readonly maxEnvelopeBytes: number;
}

/** When an append is refused. */
export interface KafkaLimits {
  readonly maxBacklogEnvelopes: number;
  /** Compared with an estimate: the brokers count the envelopes that wait, not their bytes. */
  readonly maxBacklogBytes: number;
  /** Encoded envelopes that wait for the brokers in this process. @default 67108864 */
  readonly maxInFlightBytes?: number;
  /** Share of the bytes in flight that one collector may hold beside others'. @default 100 */
  readonly maxPerCollectorPercent?: number;
}

export interface KafkaEventLogOptions extends KafkaConnection, KafkaTopics, KafkaLimits {
  /** Processes of one group share the partitions out among themselves. */
  readonly groupId: string;
  readonly clock: Clock;
  /** Envelopes of the same key stay in one partition, in order; null spreads them. */
  readonly keyOf: (envelope: Envelope) => string | null;
  /** Id of the event log that the operator accepted; it names the topic where the brokers give no ids. */
  readonly acceptedEventLog?: string | undefined;
  /** Without it entries get no numbers, as in a deployment of an older version. */
  readonly numbering?: Numbering | undefined;
  /** @default 'gzip' */
  readonly compression?: 'gzip' | 'none';
  /** How long the brokers may take to answer at the start. @default 15000 */
  readonly startDeadlineMs?: number;
  /** After so long an append is refused, although the brokers may have kept it. @default 15000 */
  readonly appendDeadlineMs?: number;
  /** How long a silent process keeps its partitions. @default 30000 */
  readonly sessionTimeoutMs?: number;
  /** How long the brokers hold back messages that fill no batch; one setting for all partitions. @default 0 */
  readonly lingerMs?: number;
  /** How long others wait for the batch that a process has in hand when its partition is to move. @default 60000 */
  readonly rebalanceTimeoutMs?: number;
}
