import type { Envelope } from '../../../schemas/envelope.ts';
import type { JsonObject } from '../../../schemas/json.ts';
import { exportResponse } from '../../drafts/answers.ts';
import { expandItems, expandOrQuarantine, readItems } from '../../drafts/decoded-items.ts';
import { openMembers } from '../../drafts/members.ts';
import {
  defineSource,
  type BodyItem,
  type DraftRecord,
  type ReadBody,
  type Source,
} from '../../drafts/source.ts';
import { checkOtlp, decodeOtlp } from '../../wire/otlp/decode.ts';
import type { OtlpItem } from '../../wire/otlp/decoding.ts';
import type { OtlpSignal } from '../../wire/otlp/descriptor.ts';
import { attributesNamed } from '../../wire/otlp/values.ts';
import { toGatewayLogDrafts, toGatewaySpanDrafts } from './gateway-call.ts';
import { mayNameGateway } from './gateway.ts';
import { attributesOf, openOtelEvents, type OtelEvent } from './otel-event.ts';
import { SESSION_ATTRIBUTES } from './otel-facts.ts';
import { toLogDraft } from './otel-log.ts';
import { toPointDraft } from './otel-point.ts';
import { toSpanDraft } from './otel-span.ts';

interface Mapping {
  readonly signal: OtlpSignal;
  readonly toDraft: (event: OtelEvent) => DraftRecord;
  /** Records of a gateway's call; undefined for every other event. */
  readonly toGatewayDrafts?: (event: OtelEvent) => DraftRecord[] | undefined;
}

/**
 * OpenTelemetry of Claude Code and of any other emitter. Events outside Claude Code's own scope are kept as observed,
 * with the facts that mean the same for every emitter. A call that a gateway reports becomes the same records as in
 * its other logs.
 */
export const otlpLogs = otlpSource('otlp-logs', {
  signal: 'logs',
  toDraft: toLogDraft,
  toGatewayDrafts: toGatewayLogDrafts,
});
export const otlpMetrics = otlpSource('otlp-metrics', { signal: 'metrics', toDraft: toPointDraft });
export const otlpTraces = otlpSource('otlp-traces', {
  signal: 'traces',
  toDraft: toSpanDraft,
  toGatewayDrafts: toGatewaySpanDrafts,
});

function otlpSource<const Name extends string>(name: Name, mapping: Mapping): Source<Name> {
  const { signal, toDraft } = mapping;
  return defineSource({
    name,
    title: `OpenTelemetry, ${signal}`,
    route: `/v1/${signal}`,
    contentTypes: ['application/json', 'application/x-protobuf'],
    proof: 'bearer',
    otlp: signal,
    answer: exportResponse(signal),
    read: (envelope) => readRequest(mapping, envelope),
    expand: (envelope) =>
      expandOrQuarantine(envelope, () => {
        // The items say whether they are a gateway's: a search of the whole body would cost more than it saves.
        const { toGatewayDrafts } = mapping;
        const openEvent = openOtelEvents(envelope);
        return expandItems(envelope, decodeOtlp(signal, envelope.content_type, envelope.body), (item) => {
          const event = openEvent(item);
          return toGatewayDrafts?.(event) ?? [toDraft(event)];
        });
      }),
  });
}

/** The mapping of gateway calls; undefined if the body cannot hold one. */
function gatewayMappingFor({ toGatewayDrafts }: Mapping, { body }: Envelope): Mapping['toGatewayDrafts'] {
  return toGatewayDrafts !== undefined && mayNameGateway(body) ? toGatewayDrafts : undefined;
}

/** In a body that names no gateway each item is one record, so the items only need to be checked. */
function readRequest(mapping: Mapping, envelope: Envelope): ReadBody {
  const { signal } = mapping;
  const { content_type, body } = envelope;
  const toGatewayDrafts = gatewayMappingFor(mapping, envelope);
  if (toGatewayDrafts === undefined) {
    const checked = checkOtlp(signal, content_type, body);
    if (checked.refusal !== undefined) throw checked.refusal;
    return readItems(envelope, checked, {
      sessionOf: ({ raw, resource }) => sessionOf(attributesNamed(raw, SESSION_ATTRIBUTES), resource),
    });
  }
  const openEvent = openOtelEvents(envelope);
  const decoded = decodeOtlp(signal, content_type, body);
  if (decoded.refusal !== undefined) throw decoded.refusal;
  const read = new Map<OtlpItem, BodyItem>();
  for (const item of decoded.items) {
    const drafts = toGatewayDrafts(openEvent(item));
    read.set(item, {
      recordCount: drafts?.length ?? 1,
      session:
        drafts === undefined
          ? sessionOf(attributesOf(item.record), item.resource)
          : drafts[0]?.facts.session_id,
    });
  }
  return readItems(envelope, decoded, {
    countOf: (item) => read.get(item)?.recordCount ?? 1,
    sessionOf: (item) => read.get(item)?.session,
  });
}

/** The session as in the facts of the record: attributes of the item come before those of its resource. */
function sessionOf(attributes: JsonObject, resource: JsonObject): string | undefined {
  return openMembers(attributes, attributesOf(resource)).text(...SESSION_ATTRIBUTES);
}
