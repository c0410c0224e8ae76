import type { ItemConnector } from '../../connectors/drafts/json-items.ts';
import { checkBody } from './native.ts';
import { jsonReply, type Reading, type Received } from './reading.ts';

/**
 * JSON objects of an outside system: one, an array of them, or one per line. An object may become several records,
 * and the request counts as many items; the answer counts objects, which is what the sender knows.
 */
export function readItems(connector: ItemConnector, reading: Reading): Received {
  checkBody(reading);
  const { units, problems } = connector.survey({ ...reading.toHeader(0), body: reading.body });
  return {
    itemCount: units.reduce((sum, { recordCount }) => sum + recordCount, 0),
    quarantinedUnits: problems.map(({ unit_pointer }) => unit_pointer),
    units,
    reply: jsonReply({
      accepted: units.length - problems.length,
      quarantined: problems.map(({ index, reason, pointer }) => ({ index, reason, pointer })),
    }),
  };
}
