import type { Envelope } from '../../../schemas/envelope.ts';
import { decodeOtlp, surveyOtlp } from '../../wire/otlp/decode.ts';
import type { OtlpSignal } from '../../wire/otlp/descriptor.ts';
import {
  expandDecoded,
  expandOrQuarantine,
  expandUnits,
  toItemUnits,
  type ExpandedBody,
} from '../../drafts/expand.ts';
import type { UnitProblem } from '../../wire/decoded-body.ts';
import type { DraftRecord, ItemUnit, SourceConnector } from '../../drafts/source.ts';
import { toGatewayLogDrafts, toGatewaySpanDrafts } from './gateway-call.ts';
import { mayNameGateway } from './gateway.ts';
import { openOtelEvents, type OtelEvent } from './otel-event.ts';
import { toLogDraft } from './otel-log.ts';
import { toPointDraft } from './otel-point.ts';
import { toSpanDraft } from './otel-span.ts';

/** What becomes of an OTLP body. */
export interface OtlpSurvey {
  /** Records. */
  readonly itemCount: number;
  readonly problems: readonly UnitProblem[];
  /** Where an item may become several records: what each becomes, in the order of the body, unsound ones among them. */
  readonly units?: readonly ItemUnit[];
}

export interface OtlpConnector extends SourceConnector {
  /** Throws BODY_MALFORMED for what is no export request. */
  survey(envelope: Envelope): OtlpSurvey;
}

interface Mapping {
  readonly signal: OtlpSignal;
  readonly toDraft: (event: OtelEvent) => DraftRecord;
  /** Records of what a gateway tells of; undefined for every other event. */
  readonly toGatewayDrafts?: (event: OtelEvent) => DraftRecord[] | undefined;
}

/**
 * Claude Code's OpenTelemetry, and any other emitter's: what is not in Claude Code's own scope is kept as observed,
 * with the facts that mean the same for everyone. Of a call that a gateway tells of come the same records as of its
 * other logs.
 */
export const claudeCodeOtelLogs = otelConnector({
  signal: 'logs',
  toDraft: toLogDraft,
  toGatewayDrafts: toGatewayLogDrafts,
});
export const claudeCodeOtelMetrics = otelConnector({ signal: 'metrics', toDraft: toPointDraft });
export const claudeCodeOtelTraces = otelConnector({
  signal: 'traces',
  toDraft: toSpanDraft,
  toGatewayDrafts: toGatewaySpanDrafts,
});

export const OTLP_CONNECTORS: Readonly<Record<OtlpSignal, OtlpConnector>> = {
  logs: claudeCodeOtelLogs,
  metrics: claudeCodeOtelMetrics,
  traces: claudeCodeOtelTraces,
};

function otelConnector(mapping: Mapping): OtlpConnector {
  const { signal, toDraft, toGatewayDrafts } = mapping;
  const mayHoldCalls = ({ body }: Envelope) => toGatewayDrafts !== undefined && mayNameGateway(body);
  return {
    name: `claude-code-otel-${signal}`,
    expand: (envelope) =>
      expandOrQuarantine(envelope, () => {
        if (mayHoldCalls(envelope)) {
          return takeApart(mapping, envelope).units.flatMap(({ expanded }) => expanded);
        }
        const decoded = decodeOtlp(signal, envelope.content_type, envelope.body);
        const openEvent = openOtelEvents(envelope);
        return expandDecoded(envelope, decoded, (item) => toDraft(openEvent(item)));
      }),
    survey: (envelope) => {
      if (!mayHoldCalls(envelope)) return surveyOtlp(signal, envelope.content_type, envelope.body);
      const body = takeApart(mapping, envelope);
      const units = toItemUnits(body);
      return {
        itemCount: units.reduce((sum, { recordCount }) => sum + recordCount, 0),
        problems: body.problems,
        units,
      };
    },
  };
}

function takeApart({ signal, toDraft, toGatewayDrafts }: Mapping, envelope: Envelope): ExpandedBody {
  const openEvent = openOtelEvents(envelope);
  return expandUnits(envelope, decodeOtlp(signal, envelope.content_type, envelope.body), (item) => {
    const event = openEvent(item);
    const drafts = toGatewayDrafts?.(event) ?? [toDraft(event)];
    return { drafts, session: drafts[0]?.facts.session_id };
  });
}
