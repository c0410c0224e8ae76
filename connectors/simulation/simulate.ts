/**
 * Recorded sessions in, requests of as many other people on as many days out, in the client's own wire formats and
 * marked as synthetic. Pure: the same recordings and options make the same bytes.
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
  /** When it would arrive. */
  readonly atMs: number;
  /** How many records it becomes. */
  readonly records: number;
}

export interface SimulatedSession {
  readonly person: string;
  readonly kind: SessionKind;
  /** Name of the recording it came from. */
  readonly recording: string;
  readonly startMs: number;
  /** In order of arrival, each made when it is asked for. */
  requests(): Generator<SimulatedRequest>;
  /** What really became of each of its tool calls. */
  truth(): ReadonlyMap<string, ToolCallOutcome>;
}

/** Sessions in order of their start; no more than one session's requests are ever held. */
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
