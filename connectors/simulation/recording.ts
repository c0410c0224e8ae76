import type { ToolCallOutcome } from '../../schemas/tool-call.ts';

/** One request of a recorded client, byte for byte. */
export interface RecordedRequest {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A recorded session, its requests in order of arrival. */
export interface RecordedSession {
  readonly name: string;
  readonly requests: readonly RecordedRequest[];
  /** The real outcome of each tool call. */
  readonly truth: ReadonlyMap<string, ToolCallOutcome>;
}

/** Kind of a session: whether something in it was denied, or is an incident to investigate. */
export type SessionKind = 'ordinary' | 'denied' | 'incident';

/** Personal data and a card number in tool calls; a model API that fails. */
const INCIDENTS: ReadonlySet<string> = new Set(['personal', 'apierror']);

export function kindOf({ name, truth }: RecordedSession): SessionKind {
  if ([...truth.values()].includes('denied')) return 'denied';
  return INCIDENTS.has(name) ? 'incident' : 'ordinary';
}
