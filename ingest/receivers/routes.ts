import type { EnvelopeHeader, EnvelopeSource } from '../../schemas/envelope.ts';
import { ITEM_CONNECTORS, KNOWN_GATEWAYS } from '../../connectors/sources/index.ts';
import type { GatewayMappings } from '../../connectors/sources/gateways/mapped-shape.ts';
import { mappedGateway, mappedRoute } from '../../connectors/sources/gateways/mapped.ts';
import type { ItemConnector } from '../../connectors/drafts/json-items.ts';
import { readHook } from './hook.ts';
import { readItems } from './items.ts';
import { readNative } from './native.ts';
import { readOtlp } from './otlp.ts';
import type { OtlpSignal } from './otlp-response.ts';
import type { Reading, Received } from './reading.ts';
import { readTranscript } from './transcript.ts';
import {
  openAnthropicDelivery,
  openGithubDelivery,
  openGitlabDelivery,
  type OpenDelivery,
  type WebhookPlatform,
} from './webhook-senders.ts';
import { MAX_INFERENCE_HOOK_BYTES, MAX_WEBHOOK_BYTES, readInferenceHook, readWebhook } from './webhook.ts';

/** One ingest route: what it takes and how its body is read. */
export interface IngestRoute {
  readonly url: string;
  readonly source: EnvelopeSource;
  readonly contentTypes: readonly EnvelopeHeader['content_type'][];
  /** What a body of any other content type is read as. */
  readonly otherTypes?: EnvelopeHeader['content_type'];
  /** Failures are told as google.rpc.Status instead of a problem document. */
  readonly isOtlp: boolean;
  /** Of a route whose senders prove themselves over the body instead of with a bearer token. */
  readonly webhook?: {
    readonly platform: WebhookPlatform;
    readonly open: OpenDelivery;
    /** No more is read of a sender who is not known yet; as sent and inflated. */
    readonly maxBytes: number;
  };
  /** Throws BODY_MALFORMED for what must not be kept; everything else is accepted. */
  readonly read: (reading: Reading) => Received;
}

export const INGEST_ROUTES: readonly IngestRoute[] = [
  {
    url: '/v1/hooks/claude-code',
    source: 'claude-code-hook',
    contentTypes: ['application/json'],
    isOtlp: false,
    read: readHook,
  },
  otlpRoute('logs', 'otlp-logs'),
  otlpRoute('metrics', 'otlp-metrics'),
  otlpRoute('traces', 'otlp-traces'),
  {
    url: '/v1/events',
    source: 'native',
    contentTypes: ['application/json', 'application/x-ndjson'],
    isOtlp: false,
    read: readNative,
  },
  {
    url: '/v1/transcripts/claude-code',
    source: 'claude-code-transcript',
    contentTypes: ['application/x-ndjson'],
    isOtlp: false,
    read: readTranscript,
  },
  ...KNOWN_GATEWAYS.map((name) => gatewayRoute(mappedRoute(name), name, ITEM_CONNECTORS[name])),
  {
    url: '/v1/identity',
    source: 'identity',
    contentTypes: ['application/json', 'application/x-ndjson'],
    isOtlp: false,
    read: (reading) => readItems(ITEM_CONNECTORS.identity, reading),
  },
  {
    url: '/v1/activities/anthropic',
    source: 'compliance-api',
    contentTypes: ['application/json', 'application/x-ndjson'],
    isOtlp: false,
    read: (reading) => readItems(ITEM_CONNECTORS['compliance-api'], reading),
  },
  {
    url: '/v1/activities/github',
    source: 'github-audit',
    contentTypes: ['application/json', 'application/x-ndjson'],
    isOtlp: false,
    read: (reading) => readItems(ITEM_CONNECTORS['github-audit'], reading),
  },
  {
    url: '/v1/webhooks/github',
    source: 'github',
    contentTypes: ['application/json', 'application/x-www-form-urlencoded'],
    isOtlp: false,
    webhook: { platform: 'github', open: openGithubDelivery, maxBytes: MAX_WEBHOOK_BYTES },
    read: (reading) => readWebhook(ITEM_CONNECTORS.github, reading),
  },
  {
    url: '/v1/webhooks/gitlab',
    source: 'gitlab',
    contentTypes: ['application/json'],
    // Older releases say that their JSON is a form.
    otherTypes: 'application/json',
    isOtlp: false,
    webhook: { platform: 'gitlab', open: openGitlabDelivery, maxBytes: MAX_WEBHOOK_BYTES },
    read: (reading) => readWebhook(ITEM_CONNECTORS.gitlab, reading),
  },
  {
    url: '/v1/webhooks/anthropic',
    source: 'anthropic-inference-hook',
    contentTypes: ['application/json'],
    isOtlp: false,
    webhook: { platform: 'anthropic', open: openAnthropicDelivery, maxBytes: MAX_INFERENCE_HOOK_BYTES },
    read: (reading) => readInferenceHook(ITEM_CONNECTORS['anthropic-inference-hook'], reading),
  },
];

/** Routes of gateways that are described by a mapping. */
export function mappedRoutes(mappings: GatewayMappings): IngestRoute[] {
  return Object.entries(mappings).map(([name, mapping]) =>
    gatewayRoute(mappedRoute(name), 'mapped-gateway', mappedGateway(name, mapping)),
  );
}

function gatewayRoute(url: string, source: EnvelopeSource, connector: ItemConnector): IngestRoute {
  return {
    url,
    source,
    contentTypes: ['application/json', 'application/x-ndjson'],
    isOtlp: false,
    read: (reading) => readItems(connector, reading),
  };
}

function otlpRoute(signal: OtlpSignal, source: EnvelopeSource): IngestRoute {
  return {
    url: `/v1/${signal}`,
    source,
    contentTypes: ['application/json', 'application/x-protobuf'],
    isOtlp: true,
    read: (reading) => readOtlp(signal, reading),
  };
}
