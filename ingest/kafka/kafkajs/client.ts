/** kafkajs as the client library behind the event log. */
import type { KafkaClient } from '../client.ts';
import type { KafkaConnection } from '../options.ts';
import { createAdminClient, createOffsetReader, createTopicAdmin } from './admin-client.ts';
import { createMessageReader } from '../platformatic/message-reader.ts';
import { createTopicIdReader } from '../platformatic/topic-id.ts';
import { createKafka } from './connect.ts';
import { orFailure } from './errors.ts';
import { createMembership } from './membership.ts';
import { createRequestWriter } from './request-writer.ts';

/** Connects nothing yet. */
export function createKafkajsClient(connection: KafkaConnection): KafkaClient {
  const kafka = createKafka(connection);
  const admin = createAdminClient({ kafka });
  const ids = createTopicIdReader(connection);
  const messages = createMessageReader(connection);
  return {
    topics: { ...createTopicAdmin(admin), idOf: (topic) => orFailure(ids.idOf(topic)) },
    offsets: createOffsetReader(admin),
    messages: { readFrom: (place) => orFailure(messages.readFrom(place)) },
    openWriter: (options) => createRequestWriter(kafka, options),
    openMembership: (options) => createMembership(kafka, options),
    close: async () => {
      await Promise.all([admin.close(), ids.close(), messages.close()]);
    },
  };
}
