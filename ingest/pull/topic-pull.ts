/**
 * Messages of a topic → requests to a gateway's route. A message is a JSON object, an array of objects, or one object
 * per line. The group moves behind a batch only when the log has every message of it, or a record reports the refused
 * ones.
 */
import type { GatewayTopic, GatewayTopicBatch, GatewayTopicGap } from './gateway-topic.ts';
import { deliverBody, deliverItems, type DeliveryCounts, type ItemsTarget } from './items.ts';
import { reportPulled, toProblemLines, type PullTarget } from './pulled.ts';

export interface TopicPull extends PullTarget {
  readonly topic: GatewayTopic;
  /** Whether the pull ends behind the messages that are there at the start. */
  readonly once: boolean;
}

export interface MessageProblem {
  readonly partition: number;
  readonly offset: string;
  /** `expired`: messages from this offset to that of `code` were removed before they were read. */
  readonly reason: 'message_refused' | 'message_too_large' | 'expired';
  /** The receivers' own code; for `expired` the first offset that is still there. */
  readonly code?: string;
}

/** The result of a run, or of a part of a long run. Offsets are by partition. */
export interface TopicPulled extends DeliveryCounts {
  readonly from: string;
  /** Offset of the first message that was delivered. */
  readonly start_cursor: Readonly<Record<string, string>>;
  /** Offset behind the last message that was delivered. */
  readonly last_cursor: Readonly<Record<string, string>>;
  readonly messages: number;
  /** Messages without a value. */
  readonly empty: number;
  readonly problem_count: number;
  readonly problems: readonly MessageProblem[];
  readonly stopped: boolean;
}

/** A long run reports itself so often. */
const REPORT_EVERY_MS = 600_000;
/** Problems that a record lists; the others are counted. */
const MAX_PROBLEMS_LISTED = 100;
/** Bytes of lines in one request. */
const TARGET_BYTES = 1024 * 1024;

/** Counts that no record has reported yet. */
interface Tally extends DeliveryCounts {
  messages: number;
  empty: number;
  readonly start: Map<number, bigint>;
  readonly last: Map<number, bigint>;
  readonly problems: MessageProblem[];
}

/** Resolves with whether every message was taken. Throws as `GatewayTopic.read` and `Delivery.post` do. */
export async function pullTopic(pull: TopicPull): Promise<boolean> {
  let tally = emptyTally();
  let isWhole = true;
  let reportedAtMs = performance.now();
  const report = async (): Promise<boolean> => {
    const isReported = await reportTally(pull, tally);
    isWhole &&= tally.problems.length === 0;
    if (isReported) tally = emptyTally();
    reportedAtMs = performance.now();
    return isReported;
  };
  const reading = pull.topic.read({
    once: pull.once,
    signal: pull.signal,
    onGap: (gap) => void tally.problems.push(toProblem(gap)),
    onBatch: async (batch) => {
      // Counted when the whole batch was delivered: the group reads an interrupted batch again.
      const next = { ...tally, problems: [...tally.problems] };
      if (!(await deliverBatch(pull, batch, next))) return false;
      tally = next;
      note(tally, batch);
      const isDue = tally.problems.length > 0 || performance.now() - reportedAtMs > REPORT_EVERY_MS;
      return !isDue || (await report());
    },
  });
  try {
    await reading;
  } catch (error) {
    // The delivered messages are in the log, so the record is sent if it can be.
    if (tally.messages > 0) await report().catch(() => undefined);
    throw error;
  }
  await report();
  return isWhole;
}

function emptyTally(): Tally {
  const counts = { requests: 0, accepted: 0, quarantined: 0, messages: 0, empty: 0 };
  return { ...counts, start: new Map(), last: new Map(), problems: [] };
}

function note(tally: Tally, { partition, messages, next }: GatewayTopicBatch): void {
  const [first] = messages;
  if (first !== undefined && !tally.start.has(partition)) tally.start.set(partition, first.offset);
  tally.last.set(partition, next);
  tally.messages += messages.length;
}

function toProblem({ partition, from, to }: GatewayTopicGap): MessageProblem {
  return { partition, offset: String(from), reason: 'expired', code: String(to) };
}

async function deliverBatch(pull: TopicPull, batch: GatewayTopicBatch, tally: Tally): Promise<boolean> {
  const { partition } = batch;
  const target: ItemsTarget = { ...pull, counts: tally };
  const refuse = (offset: bigint, { status, code }: { readonly status: number; readonly code: string }) => {
    const reason = status === 413 ? 'message_too_large' : 'message_refused';
    tally.problems.push({ partition, offset: String(offset), reason, code });
    return true;
  };
  tally.empty += batch.messages.filter(({ value }) => value === null).length;
  for (const part of toRequestParts(batch)) {
    if (part.kind === 'lines') {
      const end = await deliverItems(target, part.lines, (index, answer) =>
        refuse(part.offsets[index] ?? 0n, answer),
      );
      if (end !== 'done') return false;
      continue;
    }
    const body = { contentType: 'application/json', bytes: new Uint8Array(part.bytes) } as const;
    const answer = await deliverBody(target, body);
    if (answer.kind === 'stopped') return false;
    if (answer.kind === 'refused') refuse(part.offset, answer);
  }
  return true;
}

type RequestPart =
  | { readonly kind: 'lines'; readonly lines: Buffer[]; readonly offsets: bigint[]; bytes: number }
  | { readonly kind: 'document'; readonly bytes: Buffer; readonly offset: bigint };

/** Requests in the order of their messages. */
function toRequestParts({ messages }: GatewayTopicBatch): RequestPart[] {
  const parts: RequestPart[] = [];
  for (const { offset, value } of messages) {
    if (value === null) continue;
    if (isDocument(value)) {
      parts.push({ kind: 'document', bytes: value, offset });
      continue;
    }
    for (const line of toLines(value)) {
      const open = parts.at(-1);
      if (open?.kind === 'lines' && open.bytes + line.length <= TARGET_BYTES) {
        open.lines.push(line);
        open.offsets.push(offset);
        open.bytes += line.length;
      } else parts.push({ kind: 'lines', lines: [line], offsets: [offset], bytes: line.length });
    }
  }
  return parts;
}

/** Each with its end. */
function toLines(value: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < value.length;) {
    const found = value.indexOf(0x0a, at);
    const end = found === -1 ? value.length : found;
    lines.push(Buffer.concat([value.subarray(at, end), Buffer.from('\n')]));
    at = end + 1;
  }
  return lines;
}

/** An array, or one object over several lines; several objects on a line each are not a document. */
function isDocument(value: Buffer): boolean {
  const text = value.toString('utf8').trim();
  if (text.startsWith('[')) return true;
  if (!text.includes('\n')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function reportTally(pull: TopicPull, tally: Tally): Promise<boolean> {
  const { start, last, problems, ...counts } = tally;
  const pulled: TopicPulled = {
    from: pull.from,
    ...counts,
    start_cursor: toOffsets(start),
    last_cursor: toOffsets(last),
    problem_count: problems.length,
    problems: problems.slice(0, MAX_PROBLEMS_LISTED),
    stopped: pull.signal.aborted,
  };
  const { accepted, messages, requests, quarantined } = pulled;
  return reportPulled(pull, pulled, [
    `delivered ${String(accepted)} items of ${String(messages)} messages in ${String(requests)} requests`,
    ...(quarantined > 0 ? [`${String(quarantined)} items are in quarantine`] : []),
    ...toProblemLines(
      pulled.problems.map(({ partition, offset, reason, code }) => ({
        place: `partition ${String(partition)}, offset ${offset}`,
        reason,
        code,
      })),
      problems.length,
    ),
  ]);
}

function toOffsets(places: ReadonlyMap<number, bigint>): Record<string, string> {
  const sorted = [...places].sort(([a], [b]) => a - b);
  return Object.fromEntries(sorted.map(([partition, offset]) => [String(partition), String(offset)]));
}
