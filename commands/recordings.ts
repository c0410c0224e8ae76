import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../config.ts';
import type { RecordedRequest, RecordedSession } from '../connectors/simulation/recording.ts';
import type { ToolCallOutcome } from '../schemas/tool-call.ts';

export type { RecordedRequest } from '../connectors/simulation/recording.ts';

export interface Recording extends RecordedSession {
  readonly about: string;
}

interface Truth {
  readonly about: string;
  readonly tool_calls: readonly { readonly tool_use_id: string; readonly outcome: ToolCallOutcome }[];
}

const CLIENT = 'claude-code-2.1.329';
const HOOK_FILE = /^[0-9]{4}_hook_[A-Za-z]+\.json$/;
const OTLP_FILE = /^[0-9]{4}_(v1_(?:logs|metrics|traces))\.(json|pb)$/;
const GATEWAY_FILE = /^[0-9]{4}_v1_gateways_([a-z]+)\.json$/;
const TRANSCRIPT_FILE = /^transcript-[a-z]+\.jsonl$/;

/** The recorded sessions of the package, which connectors/simulation/recordings/README.md describes. */
export async function loadRecordings(): Promise<Recording[]> {
  const folder = join(packageRoot(), 'connectors', 'simulation', 'recordings', CLIENT);
  const names = (await readdir(folder)).sort();
  return Promise.all(names.map((name) => loadRecording(folder, name)));
}

async function loadRecording(folder: string, name: string): Promise<Recording> {
  const truth = JSON.parse(await readFile(join(folder, name, 'truth.json'), 'utf8')) as Truth;
  const requests: RecordedRequest[] = [];
  for (const file of (await readdir(join(folder, name))).sort()) {
    const route = toRoute(file);
    if (route !== undefined)
      requests.push({ ...route, body: new Uint8Array(await readFile(join(folder, name, file))) });
  }
  const outcomes = truth.tool_calls.map(({ tool_use_id, outcome }) => [tool_use_id, outcome] as const);
  return { name, about: truth.about, requests, truth: new Map(outcomes) };
}

function toRoute(file: string): { path: string; contentType: string } | undefined {
  if (HOOK_FILE.test(file)) return { path: '/v1/hooks/claude-code', contentType: 'application/json' };
  if (TRANSCRIPT_FILE.test(file))
    return { path: '/v1/transcripts/claude-code', contentType: 'application/x-ndjson' };
  const [, gateway] = GATEWAY_FILE.exec(file) ?? [];
  if (gateway !== undefined) return { path: `/v1/gateways/${gateway}`, contentType: 'application/json' };
  const [, signal, ending] = OTLP_FILE.exec(file) ?? [];
  if (signal === undefined) return undefined;
  const contentType = ending === 'pb' ? 'application/x-protobuf' : 'application/json';
  return { path: `/${signal.replace('_', '/')}`, contentType };
}
