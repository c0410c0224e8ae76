import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { ReceiverOptions } from '../../../ingest/receivers/app.ts';
import { createReceiverCounters, type ReceiverCounters } from '../../../ingest/receivers/counters.ts';
import { createFingerprint } from '../../../ingest/receivers/redact-text.ts';
import type { Envelope } from '../../../schemas/envelope.ts';

export const TOKEN = 'collector-token-canary-4711';
export const ADMIN_TOKEN = 'admin-token-canary-4712';
export const BEARER = { authorization: `Bearer ${TOKEN}` };
export const JSON_HEADERS = { ...BEARER, 'content-type': 'application/json' };
export const PROTOBUF_HEADERS = { ...BEARER, 'content-type': 'application/x-protobuf' };
export const FINGERPRINT = createFingerprint(new Uint8Array(32).fill(7));
export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

export interface Bench {
  readonly options: ReceiverOptions & { readonly counters: ReceiverCounters };
  readonly appended: Envelope[];
  /** Everything logged so far. */
  logged(): string;
}

/** Receiver options around an event log that keeps what it is given, or does as `append` says. */
export function prepareBench(
  overrides: Partial<ReceiverOptions> & { append?: (envelopes: readonly Envelope[]) => Promise<void> } = {},
): Bench {
  const { append, ...rest } = overrides;
  const appended: Envelope[] = [];
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  let nextId = 0;
  const options = {
    eventLog: {
      append: async (envelopes: readonly Envelope[]) => {
        await append?.(envelopes);
        appended.push(...envelopes);
      },
    },
    verifyToken: (token: string) => {
      if (token === TOKEN) return { id: 'collector-1', role: 'collector' } as const;
      return token === ADMIN_TOKEN ? ({ id: 'admin-1', role: 'admin' } as const) : undefined;
    },
    fingerprint: FINGERPRINT,
    clock: () => NOW_MS,
    newId: () => `id-${nextId++}`,
    logger: pino({ level: 'trace' }, sink),
    limits: { maxBodyBytes: 1_000_000, maxInflatedBytes: 2_000_000 },
    counters: createReceiverCounters(),
    ...rest,
  };
  return { options: { ...options, counters: options.counters }, appended, logged: () => lines.join('') };
}

export interface Recording {
  readonly name: string;
  readonly url: string;
  readonly contentType: 'application/json' | 'application/x-ndjson' | 'application/x-protobuf';
  readonly body: Buffer;
}

const FOLDER = join(import.meta.dirname, '../../../connectors/simulation/recordings/claude-code-2.1.329');

/** Every request body that a real client, or a gateway behind one, sent. */
export function readRecordings(): Recording[] {
  return readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).flatMap((name): Recording[] => {
    const route = routeOf(name);
    return route === undefined ? [] : [{ name, ...route, body: readFileSync(join(FOLDER, name)) }];
  });
}

function routeOf(name: string): Pick<Recording, 'url' | 'contentType'> | undefined {
  if (/transcript-\w+\.jsonl$/.test(name)) {
    return { url: '/v1/transcripts/claude-code', contentType: 'application/x-ndjson' };
  }
  const [, gateway] = /\d{4}_v1_gateways_(\w+)\.json$/.exec(name) ?? [];
  if (gateway !== undefined) return { url: `/v1/gateways/${gateway}`, contentType: 'application/json' };
  const kind = /\d{4}_(hook|v1_logs|v1_metrics|v1_traces)\w*\.(json|pb)$/.exec(name);
  if (kind === null) return undefined;
  return {
    url: kind[1] === 'hook' ? '/v1/hooks/claude-code' : `/${kind[1]!.replace('_', '/')}`,
    contentType: kind[2] === 'pb' ? 'application/x-protobuf' : 'application/json',
  };
}

/** An OTLP/JSON logs request around log records given as JSON text. */
export function logsRequest(...records: string[]): string {
  return `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${records.join(',')}]}]}]}`;
}

/** A recorded body as it is kept: ids of keys are the only secrets that recordings hold. */
export function withMarks(body: Buffer): Buffer {
  const marked = body
    .toString('latin1')
    .replaceAll(/AKIA[A-Z0-9]{16}/g, (id) => `[secret:aws_access_key_id:${FINGERPRINT(id)}]`);
  return Buffer.from(marked, 'latin1');
}
