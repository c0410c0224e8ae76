/**
 * The events that are sent: what Claude Code reports of a tool call, padded to 1 KB. A body is built once and its
 * numbers are written over for each request, so that every event is a new one and making it costs next to nothing.
 */
export type EventKind = 'otlp' | 'hook';

export const EVENT_BYTES = 1024;

/** Requests of one session that follow each other. */
const REQUESTS_PER_SESSION = 5;
const WORDS = 'src test index error export function return const passed failed file line build commit'.split(
  ' ',
);
const SERIAL_MARK = '@@@@@@@@@@';
const SESSION_MARK = '~~~~~~~~';
/** Added to every serial, so that it has as many digits as its mark. */
const FIRST_SERIAL = 1_000_000_000;

export interface EventBody {
  readonly path: string;
  readonly bytes: Buffer;
  readonly events: number;
  /** Writes the numbers of a request into the bytes. */
  stamp(request: number): void;
}

export function buildBody(kind: EventKind, events: number): EventBody {
  const [path, text] =
    kind === 'otlp' ? ['/v1/logs', otlpText(events)] : ['/v1/hooks/claude-code', padded(hookEvent)];
  const bytes = Buffer.from(text);
  const sessionPlaces = placesOf(bytes, SESSION_MARK);
  const serialPlaces = placesOf(bytes, SERIAL_MARK);
  const perEvent = serialPlaces.length / events;
  return {
    path,
    bytes,
    events,
    stamp(request) {
      const session = String(Math.floor(request / REQUESTS_PER_SESSION)).padStart(SESSION_MARK.length, '0');
      for (const at of sessionPlaces) bytes.write(session, at, 'latin1');
      serialPlaces.forEach((at, place) => {
        bytes.write(String(serialOf(request, events, Math.floor(place / perEvent))), at, 'latin1');
      });
    },
  };
}

/** The tool use id of the last event of a request, by which it is looked for. */
export function lastToolUseId(request: number, events: number): string {
  return `toolu_${serialOf(request, events, events - 1)}`;
}

function serialOf(request: number, events: number, position: number): number {
  return FIRST_SERIAL + request * events + position;
}

function placesOf(bytes: Buffer, mark: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) places.push(at);
  return places;
}

function otlpText(events: number): string {
  const resource = {
    attributes: [attribute('service.name', 'claude-code'), attribute('host.arch', 'amd64')],
  };
  const scope = { name: 'com.anthropic.claude_code.events', version: '2.1.329' };
  const logRecords = `[${Array.from({ length: events }, (_, position) => padded(logRecord, position)).join(',')}]`;
  return (
    `{"resourceLogs":[{"resource":${JSON.stringify(resource)},` +
    `"scopeLogs":[{"scope":${JSON.stringify(scope)},"logRecords":${logRecords}}]}]}`
  );
}

/** JSON text of an event whose free text is as long as it takes to reach EVENT_BYTES. */
function padded(build: (filler: string) => object, position = 0): string {
  const bare = JSON.stringify(build('')).length;
  return JSON.stringify(build(fillerText(position, Math.max(EVENT_BYTES - bare, 0))));
}

/** Words in an order that differs by position, so that compressing them is work, as it is with real output. */
function fillerText(position: number, length: number): string {
  let state = position + 1;
  let text = '';
  while (text.length < length) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    text += `${WORDS[(state >> 16) % WORDS.length] ?? ''} ${(state % 4096).toString(16)} `;
  }
  return text.slice(0, length);
}

function attribute(key: string, stringValue: string): object {
  return { key, value: { stringValue } };
}

function logRecord(filler: string): object {
  return {
    timeUnixNano: '1795248807387000000',
    body: { stringValue: 'claude_code.tool_result' },
    attributes: [
      attribute('enduser.id', 'alice@example.com'),
      attribute('session.id', `1e5eff0e-075c-4795-95bb-174f${SESSION_MARK}`),
      attribute('event.name', 'tool_result'),
      attribute('event.timestamp', '2026-11-21T08:13:27.387Z'),
      { key: 'event.sequence', value: { intValue: SERIAL_MARK } },
      attribute('prompt.id', '9edb7816-5bd6-4c92-9971-728599ac8eeb'),
      attribute('tool_name', 'Bash'),
      attribute('tool_use_id', `toolu_${SERIAL_MARK}`),
      attribute('success', 'true'),
      attribute('duration_ms', '26'),
      attribute('tool_parameters', filler),
    ],
  };
}

function hookEvent(filler: string): object {
  return {
    session_id: `1e5eff0e-075c-4795-95bb-174f${SESSION_MARK}`,
    cwd: '/home/alice/acme-web',
    prompt_id: '9edb7816-5bd6-4c92-9971-728599ac8eeb',
    permission_mode: 'default',
    hook_event_name: 'PostToolUse',
    tool_name: 'Bash',
    tool_input: { command: 'git diff --stat', description: 'Diff' },
    tool_response: { stdout: filler, stderr: '', interrupted: false, isImage: false },
    tool_use_id: `toolu_${SERIAL_MARK}`,
    duration_ms: 26,
  };
}
