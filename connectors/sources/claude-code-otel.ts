import { decodeOtlp } from '../otlp/decode.ts';
import type { OtlpSignal } from '../otlp/descriptor.ts';
import { expandDecoded, expandOrQuarantine } from '../quarantine.ts';
import type { DraftRecord, SourceConnector } from '../source.ts';
import { openOtelEvents, type OtelEvent } from './otel-event.ts';
import { toLogDraft } from './otel-log.ts';
import { toPointDraft } from './otel-point.ts';
import { toSpanDraft } from './otel-span.ts';

/**
 * Claude Code's OpenTelemetry, and any other emitter's: what is not in Claude Code's own scope is kept as observed,
 * with the facts that mean the same for everyone.
 */
export const claudeCodeOtelLogs = otelConnector('logs', toLogDraft);
export const claudeCodeOtelMetrics = otelConnector('metrics', toPointDraft);
export const claudeCodeOtelTraces = otelConnector('traces', toSpanDraft);

function otelConnector(signal: OtlpSignal, toDraft: (event: OtelEvent) => DraftRecord): SourceConnector {
  return {
    name: `claude-code-otel-${signal}`,
    expand: (envelope) =>
      expandOrQuarantine(envelope, () => {
        const decoded = decodeOtlp(signal, envelope.content_type, envelope.body);
        const openEvent = openOtelEvents(envelope);
        return expandDecoded(envelope, decoded, (item) => toDraft(openEvent(item)));
      }),
  };
}
