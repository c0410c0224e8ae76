import { toJsonPayload } from '../../connectors/sources/forges/form-payload.ts';
import type { ItemConnector } from '../../connectors/sources/json-items.ts';
import { isJsonObject } from '../../schemas/json.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { parseStrict } from '../../connectors/json/strict-json.ts';
import { readItems } from './items.ts';
import type { Reading, Received } from './reading.ts';

/** GitHub sends nothing larger. In bytes, as sent and inflated. */
export const MAX_WEBHOOK_BYTES = 25 * 1024 * 1024;

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
