import { toJsonPayload } from '../../connectors/sources/forges/form-payload.ts';
import type { ItemConnector } from '../../connectors/drafts/json-items.ts';
import { isJsonObject } from '../../schemas/json.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { parseStrict } from '../../connectors/wire/json/strict-json.ts';
import { readItems } from './items.ts';
import { jsonReply, type Reading, type Received } from './reading.ts';

/** GitHub sends nothing larger. In bytes, as sent and inflated. */
export const MAX_WEBHOOK_BYTES = 25 * 1024 * 1024;

/** Anthropic sends no larger conversation. In bytes, as sent and inflated. */
export const MAX_INFERENCE_HOOK_BYTES = 10 * 1024 * 1024;

/**
 * A question whether a request may go to the model. The reply allows it, and like every success it is sent only once
 * the event log has the question: no verdict is given on what is not on record.
 */
export function readInferenceHook(connector: ItemConnector, reading: Reading): Received {
  return { ...readWebhook(connector, reading), reply: jsonReply({ action: 'allow' }) };
}

/** A delivery whose sender was checked: one JSON object, as it is or in a form. */
export function readWebhook(connector: ItemConnector, reading: Reading): Received {
  const payload = toJsonPayload({ content_type: reading.contentType, body: reading.body });
  const body = Buffer.from(payload.body.buffer, payload.body.byteOffset, payload.body.byteLength);
  const { value } = parseStrict(body);
  if (!isJsonObject(value)) {
    throw new PipelineError('BODY_MALFORMED', 'a webhook body is a JSON object', {
      place: 'line 1 column 1',
    });
  }
  const { content_type } = payload;
  const toHeader: Reading['toHeader'] = (itemCount) => ({ ...reading.toHeader(itemCount), content_type });
  return readItems(connector, { body, contentType: content_type, toHeader });
}
