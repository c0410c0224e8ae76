/**
 * Turns recorded sessions into requests of any number of other people on any number of days, in the client's own wire
 * formats and marked as synthetic. Pure: the same recordings and options make the same bytes.
 */
import { PipelineError } from '../../schemas/errors.ts';
import type { ToolCallOutcome } from '../../schemas/tool-call.ts';
import { pickAt } from './draws.ts';
import { personName, renameIdentifier, type Owner } from './identifiers.ts';
import { planSessions, type SessionPlan, type SimulationOptions } from './plan.ts';
import type { RecordedSession, SessionKind } from './recording.ts';
import { fillVariables, renderBody, toTemplate, type SessionTemplate } from './template.ts';

export interface SimulatedRequest {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** When the request would arrive. */
  readonly atMs: number;
  /** How many records the request becomes. */
  readonly records: number;
}

export interface SimulatedSession {
  readonly person: string;
  readonly kind: SessionKind;
  /** Name of the replayed recording. */
  readonly recording: string;
  readonly startMs: number;
  /** The requests in order of arrival; each is made when it is asked for. */
  requests(): Generator<SimulatedRequest>;
  /** The real outcome of each of its tool calls. */
  truth(): ReadonlyMap<string, ToolCallOutcome>;
}

/** Yields sessions in order of their start; the requests of at most one session are in memory. */
export function* simulate(
  recordings: readonly RecordedSession[],
  options: SimulationOptions,
): Generator<SimulatedSession> {
  const templates = recordings.map(toTemplate);
  const ofKind = (wanted: SessionKind) => templates.filter(({ kind }) => kind === wanted);
  const choices = {
    ordinary: ofKind('ordinary'),
    denied: ofKind('denied'),
    incident: ofKind('incident'),
  } satisfies Record<SessionKind, SessionTemplate[]>;
  for (const plan of planSessions(options)) {
    const template = pickAt(choices[plan.kind], plan.choice);
    if (template === undefined) throw new PipelineError('INTERNAL', `no recording is ${plan.kind}`);
    yield toSession(template, plan, options.seed);
  }
}

function toSession(template: SessionTemplate, plan: SessionPlan, seed: string): SimulatedSession {
  const { user, session, startMs, kind } = plan;
  const owner: Owner = { seed, user, session };
  return {
    person: personName(user),
    kind,
    recording: template.name,
    startMs,
    *requests() {
      const shiftMs = startMs - template.startMs;
      const values = fillVariables(template, owner, shiftMs);
      for (const request of template.requests) {
        const { path, contentType, records, arrivedMs } = request;
        yield { path, contentType, records, atMs: arrivedMs + shiftMs, body: renderBody(request, values) };
      }
    },
    truth: () =>
      new Map([...template.truth].map(([id, outcome]) => [renameIdentifier('tool_use', id, owner), outcome])),
  };
}
