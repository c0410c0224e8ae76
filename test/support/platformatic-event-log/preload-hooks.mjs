/** Module hooks: the bundled second client is loaded where the program asks for the one on kafkajs. */
import process from 'node:process';
import { URL } from 'node:url';

const SECOND = new URL('../../../dist/second-client/client.mjs', import.meta.url).href;

export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  if (!found.url.endsWith('/dist/ingest/kafka/kafkajs/client.js')) return found;
  process.stderr.write('test: the event log runs on @platformatic/kafka\n');
  return { ...found, url: SECOND };
}
