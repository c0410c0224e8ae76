/**
 * The requests that are sent. Every event carries its number in its tool use id, and a request is made of the numbers
 * of its events alone: it can be sent again at any time, in other groupings too, and its events are the same bytes.
 */
export type RequestKind = 'hook' | 'otlp';

export interface Load {
  readonly kind: RequestKind;
  /** Number of the first event; the others follow it. */
  readonly first: number;
  readonly count: number;
  /** Free text of each event, in characters. */
  readonly fillerLength: number;
}

export const PATHS: Readonly<Record<RequestKind, string>> = {
  hook: '/v1/hooks/claude-code',
  otlp: '/v1/logs',
};

const TOOL_USE_ID = /^toolu_torture_(0|[1-9][0-9]{0,11})$/;
const EVENTS_PER_SESSION = 64;

export function toolUseId(event: number): string {
  return `toolu_torture_${event}`;
}

/** The number of the event that a tool use id names; undefined for one that was not made here. */
export function eventOf(id: unknown): number | undefined {
  const digits = typeof id === 'string' ? TOOL_USE_ID.exec(id)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

/** The numbers of the events in lines of facts. */
export function eventsOf(facts: Iterable<{ readonly line: string }>): number[] {
  return [...facts].flatMap(({ line }) => {
    const { part } = JSON.parse(line) as { part: { tool_use_id?: unknown } };
    return eventOf(part.tool_use_id) ?? [];
  });
}

export function bodyOf({ kind, first, count, fillerLength }: Load): Buffer {
  const events = Array.from({ length: count }, (_, position) => first + position);
  const body =
    kind === 'hook'
      ? hookEvent(first, fillerLength)
      : otlpBatch(events.map((n) => logRecord(n, fillerLength)));
  return Buffer.from(JSON.stringify(body));
}

/** The same events as two requests; a request of one event stays whole. */
export function halves(load: Load): readonly Load[] {
  if (load.count < 2) return [load];
  const count = Math.floor(load.count / 2);
  return [
    { ...load, count },
    { ...load, first: load.first + count, count: load.count - count },
  ];
}

function sessionOf(event: number): string {
  return `7a2c61d0-0d1f-4c4e-9b1a-${String(Math.floor(event / EVENTS_PER_SESSION)).padStart(12, '0')}`;
}

/** Text that differs from event to event, so that compressing it is work. */
function filler(event: number, length: number): string {
  let state = event + 1;
  let text = '';
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    text += `${state.toString(36)} `;
  }
  return text.slice(0, length);
}

function hookEvent(event: number, fillerLength: number): object {
  return {
    session_id: sessionOf(event),
    cwd: '/home/alice/acme-web',
    prompt_id: '9edb7816-5bd6-4c92-9971-728599ac8eeb',
    permission_mode: 'default',
    hook_event_name: 'PostToolUse',
    tool_name: 'Bash',
    tool_input: { command: 'git diff --stat', description: 'Diff' },
    tool_response: {
      stdout: filler(event, fillerLength),
      stderr: '',
      interrupted: false,
      isImage: false,
    },
    tool_use_id: toolUseId(event),
    duration_ms: 26,
  };
}

function otlpBatch(logRecords: readonly object[]): object {
  const resource = { attributes: [attribute('service.name', 'claude-code')] };
  const scope = { name: 'com.anthropic.claude_code.events', version: '2.1.329' };
  return { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }] };
}

function logRecord(event: number, fillerLength: number): object {
  return {
    timeUnixNano: '1795248807387000000',
    body: { stringValue: 'claude_code.tool_result' },
    attributes: [
      attribute('session.id', sessionOf(event)),
      attribute('event.name', 'tool_result'),
      attribute('event.timestamp', '2026-11-21T08:13:27.387Z'),
      { key: 'event.sequence', value: { intValue: String(event) } },
      attribute('prompt.id', '9edb7816-5bd6-4c92-9971-728599ac8eeb'),
      attribute('tool_name', 'Bash'),
      attribute('tool_use_id', toolUseId(event)),
      attribute('success', 'true'),
      attribute('duration_ms', '26'),
      attribute('tool_parameters', filler(event, fillerLength)),
    ],
  };
}

function attribute(key: string, stringValue: string): object {
  return { key, value: { stringValue } };
}
