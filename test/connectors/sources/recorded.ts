import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Expanded } from '../../../connectors/drafts/source.ts';
import { createSourceFinder, SOURCES, type EnvelopeSource } from '../../../connectors/sources/index.ts';
import type { Envelope } from '../../../schemas/envelope.ts';

const findSource = createSourceFinder(SOURCES);

/** The drafts of an envelope, as the sequencer gets them. */
export function expandEnvelope(one: Envelope): Expanded[] {
  return findSource(one)!.expand(one);
}

const RECORDINGS = join(import.meta.dirname, '../../../connectors/simulation/recordings/claude-code-2.1.329');

/** One request of a recording, as a receiver would stamp it. */
export interface RecordedRequest {
  readonly name: string;
  readonly recording: string;
  readonly envelope: Envelope;
}

export function envelope(source: string, body: unknown, more: Partial<Envelope> = {}): Envelope {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    v: 1,
    envelope_id: '00000000-0000-4000-8000-000000000000',
    source,
    receiver: 'test',
    principal: 'laptop-1',
    received_at: '2026-11-21T09:00:00.000Z',
    content_type: 'application/json',
    item_count: 1,
    idempotency_key: null,
    body: body instanceof Uint8Array ? body : new TextEncoder().encode(text),
    ...more,
  };
}

/** Every request of every recording, in order of arrival. */
export function recordedRequests(): RecordedRequest[] {
  return readdirSync(RECORDINGS).flatMap((recording) =>
    readdirSync(join(RECORDINGS, recording))
      .sort()
      .flatMap((file) => toRequest(recording, file)),
  );
}

function toRequest(recording: string, file: string): RecordedRequest[] {
  const source = sourceOf(file);
  if (source === undefined) return [];
  const body = readFileSync(join(RECORDINGS, recording, file));
  const content_type = CONTENT_TYPES[extname(file)] ?? 'application/json';
  return [{ name: `${recording}/${file}`, recording, envelope: envelope(source, body, { content_type }) }];
}

const CONTENT_TYPES: Readonly<Record<string, Envelope['content_type']>> = {
  '.pb': 'application/x-protobuf',
  '.jsonl': 'application/x-ndjson',
};

function sourceOf(file: string): EnvelopeSource | undefined {
  if (/^transcript-\w+\.jsonl$/.test(file)) return 'claude-code-transcript';
  if (/^\d+_v1_gateways_litellm\.json$/.test(file)) return 'litellm';
  if (/^\d+_hook_.*\.json$/.test(file)) return 'claude-code-hook';
  if (/^\d+_v1_logs\.(json|pb)$/.test(file)) return 'otlp-logs';
  return /^\d+_v1_metrics\.(json|pb)$/.test(file) ? 'otlp-metrics' : undefined;
}
