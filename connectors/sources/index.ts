import type { Envelope } from '../../schemas/envelope.ts';
import type { Source } from '../drafts/source.ts';
import { inferenceHook } from './apps/inference-hook.ts';
import { claudeCodeHook } from './claude-code/hook.ts';
import { claudeCodeTranscript } from './claude-code/transcript.ts';
import { githubAudit } from './forges/github-audit.ts';
import { github } from './forges/github.ts';
import { gitlab } from './forges/gitlab.ts';
import { bifrost } from './gateways/bifrost.ts';
import { cloudflare } from './gateways/cloudflare.ts';
import { gatewayNameOf } from './gateways/gateway-source.ts';
import { kong } from './gateways/kong.ts';
import { litellm } from './gateways/litellm.ts';
import type { GatewayMappings } from './gateways/mapped-shape.ts';
import { MAPPED_GATEWAY, mappedGateways } from './gateways/mapped.ts';
import { portkey } from './gateways/portkey.ts';
import { complianceActivity } from './identity/compliance-activity.ts';
import { identity } from './identity/identity.ts';
import { native } from './native/native.ts';
import { otlpLogs, otlpMetrics, otlpTraces } from './otlp/otlp.ts';

/** All outside systems. Explicit: adding one means adding its line here. */
export const SOURCES = [
  claudeCodeHook,
  otlpLogs,
  otlpMetrics,
  otlpTraces,
  native,
  claudeCodeTranscript,
  litellm,
  bifrost,
  kong,
  cloudflare,
  portkey,
  identity,
  complianceActivity,
  githubAudit,
  github,
  gitlab,
  inferenceHook,
] as const satisfies readonly Source[];

/** The names that envelopes carry. */
export type EnvelopeSource = (typeof SOURCES)[number]['name'] | typeof MAPPED_GATEWAY;

/** The list of sources, and after it the gateways that a deployment describes. */
export function sourcesWith(mappings: GatewayMappings): readonly Source[] {
  return [...SOURCES, ...mappedGateways(mappings)];
}

/** Gateways whose logs are read without a mapping. */
export const KNOWN_GATEWAYS = SOURCES.flatMap((source: Source) => gatewayNameOf(source) ?? []);

/**
 * Finds the source of an envelope from the event log. Undefined if the list does not hold the source, because a
 * receiver of another release or configuration took the envelope. Described gateways share a name, so their route
 * decides.
 */
export function createSourceFinder(
  sources: readonly Source[],
): (envelope: Pick<Envelope, 'source' | 'receiver'>) => Source | undefined {
  const byName = new Map(sources.map((source) => [source.name, source]));
  const mapped = new Map(
    sources.filter(({ name }) => name === MAPPED_GATEWAY).map((source) => [source.route, source]),
  );
  return ({ source, receiver }) => (source === MAPPED_GATEWAY ? mapped.get(receiver) : byName.get(source));
}
