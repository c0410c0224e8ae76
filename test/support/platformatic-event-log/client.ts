/**
 * @platformatic/kafka as a client library behind the Kafka event log. It runs in tests alone: it shows that the event log
 * does not depend on the library that ships, and how much a switch would take.
 */
import { Base } from '@platformatic/kafka';
import type { KafkaClient } from '../../../ingest/kafka/client.ts';
import type { KafkaConnection } from '../../../ingest/kafka/options.ts';
import { createMessageReader } from '../../../ingest/kafka/platformatic/message-reader.ts';
import { toOptions } from '../../../ingest/kafka/platformatic/topic-id.ts';
import { createAdmin } from './admin.ts';
import { orFailure } from './errors.ts';
import { createMembership } from './membership.ts';
import { createRequestWriter } from './request-writer.ts';

/** Connects nothing yet. */
export function createPlatformaticClient(connection: KafkaConnection): KafkaClient {
  const options = toOptions(connection);
  const { topics, offsets, close } = createAdmin(options);
  const messages = createMessageReader(connection);
  return {
    topics,
    offsets,
    messages: { readFrom: (place) => orFailure(messages.readFrom(place)) },
    openWriter: (writer) => createRequestWriter(options, writer),
    openMembership: (member) => createMembership(new Base(options), options, { ...member, offsets }),
    close: async () => {
      await Promise.all([close(), messages.close()]);
    },
  };
}
