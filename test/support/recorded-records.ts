import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNormaliser } from '../../ingest/normalise.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import type { EnvelopeSource } from '../../connectors/sources/index.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import type { ToolCallOutcome } from '../../schemas/tool-call.ts';

const RECORDINGS = join(import.meta.dirname, '../../connectors/simulation/recordings/claude-code-2.1.329');

export const RECORDING_NAMES = [
  'ordinary',
  'denied',
  'apierror',
  'resumed',
  'personal',
  'via-litellm',
] as const;

export interface Recording {
  /** What the real normaliser makes of every request, in order of arrival, one minute apart. */
  readonly records: readonly AuditRecord[];
  /** What became of each call, by tool_use_id. */
  readonly truth: ReadonlyMap<string, ToolCallOutcome>;
}

/** A recording of a real client, normalised. */
export function readRecording(name: (typeof RECORDING_NAMES)[number]): Recording {
  const dir = join(RECORDINGS, name);
  const normalise = createNormaliser({
    surrogates: createSurrogates(new Uint8Array(32).fill(7)),
  });
  const files = readdirSync(dir).filter((file) => sourceOf(file) !== undefined);
  const records = files.sort().flatMap((file, place) => normalise(toEnvelope(dir, file, place)).records);
  const { tool_calls: calls } = JSON.parse(readFileSync(join(dir, 'truth.json'), 'utf8')) as {
    tool_calls: { tool_use_id: string; outcome: ToolCallOutcome }[];
  };
  return { records, truth: new Map(calls.map((call) => [call.tool_use_id, call.outcome])) };
}

function sourceOf(file: string): EnvelopeSource | undefined {
  if (file.includes('_hook_')) return 'claude-code-hook';
  if (file.includes('_v1_logs.')) return 'otlp-logs';
  if (file.includes('_v1_metrics.')) return 'otlp-metrics';
  return undefined;
}

function toEnvelope(dir: string, file: string, place: number): Envelope {
  return {
    v: 1,
    envelope_id: `envelope-${place}`,
    source: sourceOf(file)!,
    receiver: 'recording',
    principal: 'laptop-1',
    received_at: new Date(Date.UTC(2026, 10, 21, 9, place)).toISOString(),
    content_type: file.endsWith('.pb') ? 'application/x-protobuf' : 'application/json',
    item_count: 1,
    idempotency_key: null,
    body: readFileSync(join(dir, file)),
  };
}
