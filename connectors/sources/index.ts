import type { EnvelopeSource } from '../../schemas/envelope.ts';
import { claudeCodeHook } from './claude-code/hook.ts';
import { claudeCodeOtelLogs, claudeCodeOtelMetrics, claudeCodeOtelTraces } from './otlp/otlp.ts';
import { claudeCodeTranscript } from './claude-code/transcript.ts';
import { inferenceHook } from './apps/inference-hook.ts';
import { github } from './forges/github.ts';
import { githubAudit } from './forges/github-audit.ts';
import { gitlab } from './forges/gitlab.ts';
import { bifrost } from './gateways/bifrost.ts';
import { cloudflare } from './gateways/cloudflare.ts';
import { kong } from './gateways/kong.ts';
import { litellm } from './gateways/litellm.ts';
import type { GatewayMappings } from './gateways/mapped-shape.ts';
import { mappedGateways } from './gateways/mapped.ts';
import { portkey } from './gateways/portkey.ts';
import { complianceActivity } from './identity/compliance-activity.ts';
import { identity } from './identity/identity.ts';
import type { ItemConnector } from '../drafts/json-items.ts';
import { native } from './native/native.ts';
import type { SourceConnector } from '../drafts/source.ts';

/** Formats whose bodies are JSON objects, alone, in an array or one per line. */
export const ITEM_CONNECTORS = {
  'claude-code-transcript': claudeCodeTranscript,
  litellm,
  bifrost,
  kong,
  cloudflare,
  portkey,
  github,
  gitlab,
  identity,
  'compliance-api': complianceActivity,
  'github-audit': githubAudit,
  'anthropic-inference-hook': inferenceHook,
} as const satisfies Partial<Record<EnvelopeSource, ItemConnector>>;
export type ItemFormat = keyof typeof ITEM_CONNECTORS;

/** Gateways whose logs are read without a mapping. */
export const KNOWN_GATEWAYS = [
  'litellm',
  'bifrost',
  'kong',
  'cloudflare',
  'portkey',
] as const satisfies readonly ItemFormat[];

/** The connector of each wire format. Explicit: adding a format means adding its line here. */
export const SOURCE_CONNECTORS: Readonly<Record<EnvelopeSource, SourceConnector>> = {
  'claude-code-hook': claudeCodeHook,
  'otlp-logs': claudeCodeOtelLogs,
  'otlp-metrics': claudeCodeOtelMetrics,
  'otlp-traces': claudeCodeOtelTraces,
  native,
  ...ITEM_CONNECTORS,
  'mapped-gateway': mappedGateways({}),
};

/** The same with the gateways that a deployment describes. */
export function connectorsWith(mappings: GatewayMappings): typeof SOURCE_CONNECTORS {
  return { ...SOURCE_CONNECTORS, 'mapped-gateway': mappedGateways(mappings) };
}
