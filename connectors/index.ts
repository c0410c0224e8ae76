import type { EnvelopeSource } from '../schemas/envelope.ts';
import { claudeCodeHook } from './sources/claude-code-hook.ts';
import {
  claudeCodeOtelLogs,
  claudeCodeOtelMetrics,
  claudeCodeOtelTraces,
} from './sources/claude-code-otel.ts';
import { native } from './sources/native.ts';
import type { SourceConnector } from './source.ts';

/** The connector of each wire format. Explicit: adding a format means adding its line here. */
export const SOURCE_CONNECTORS: Readonly<Record<EnvelopeSource, SourceConnector>> = {
  'claude-code-hook': claudeCodeHook,
  'otlp-logs': claudeCodeOtelLogs,
  'otlp-metrics': claudeCodeOtelMetrics,
  'otlp-traces': claudeCodeOtelTraces,
  native,
};
