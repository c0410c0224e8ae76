/** The backlog of the event log, and whether a period can be called complete beside it. */
import type { Backlog, KnownBacklog, PartitionBacklog } from '../../schemas/backlog.ts';
import { toInstant } from '../../schemas/clock.ts';
import type { Assessment } from './assessment.ts';
import { counted } from '../controls/counted.ts';

interface Figure {
  readonly name: string;
  readonly value: string;
}

export function backlogFigures(backlog: Backlog | undefined): Figure[] {
  if (backlog === undefined) return [];
  const name = 'envelopes acknowledged and not sealed';
  if (backlog === 'unknown') return [{ name, value: 'not known' }];
  const { envelopes, oldestReceivedAt, partitions = [] } = backlog;
  const total = { name, value: String(envelopes) };
  if (envelopes === 0) return [total];
  return [
    total,
    { name: 'the first of them was received at', value: oldestReceivedAt ?? 'not known' },
    ...partitions.map(partitionFigure),
  ];
}

function partitionFigure({ partition, envelopes, oldestReceivedAt }: PartitionBacklog): Figure {
  const since = oldestReceivedAt === undefined ? 'at a time that is not known' : `at ${oldestReceivedAt}`;
  return { name: `of these in partition ${partition}`, value: `${envelopes}, the first received ${since}` };
}

/**
 * Where several processes append, the first envelope of a partition may have been received later than one behind it by so
 * much: their clocks differ, and each stamps an envelope some time before it appends it.
 */
const RECEIPT_ORDER_MS = 600_000;

/** Why acknowledged envelopes that are not sealed may belong to the period; '' where none can. */
export function waitingDetail({ period, scope: { backlog } }: Pick<Assessment, 'period' | 'scope'>): string {
  if (backlog === undefined) return '';
  if (backlog === 'unknown') return '; it is not known what is acknowledged and not sealed yet';
  if (backlog.envelopes === 0) return '';
  const envelopes = counted(backlog.envelopes, 'envelope');
  const earliestMs = earliestReceiptMs(backlog);
  if (earliestMs === undefined) {
    return `; ${envelopes} acknowledged and not sealed yet, and it is not known when the oldest was received`;
  }
  if (earliestMs >= Date.parse(period.to)) return '';
  return `; ${envelopes} acknowledged and not sealed yet, received at ${toInstant(earliestMs)} or later`;
}

/** Before that instant no waiting envelope was received. */
function earliestReceiptMs({ oldestReceivedAt, partitions }: KnownBacklog): number | undefined {
  if (oldestReceivedAt === undefined) return undefined;
  return Date.parse(oldestReceivedAt) - (partitions === undefined ? 0 : RECEIPT_ORDER_MS);
}
