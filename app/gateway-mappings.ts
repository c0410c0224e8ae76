/** Mappings of gateways that are described in a file. Part of the composition root. */
import { readFile } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { KNOWN_GATEWAYS } from '../connectors/sources/index.ts';
import { parseMappings, type GatewayMappings } from '../connectors/sources/gateways/mapped-shape.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { JsonValue } from '../schemas/json.ts';

/** Receivers and sequencers must read the same file. Throws CONFIG_INVALID with every problem of it. */
export async function readGatewayMappings({ ingest }: Config): Promise<GatewayMappings> {
  const { gateway_mappings: file } = ingest;
  if (file === undefined) return {};
  let value: JsonValue;
  try {
    value = JSON.parse(await readFile(file, 'utf8')) as JsonValue;
  } catch (error) {
    throw new PipelineError('CONFIG_INVALID', `/ingest/gateway_mappings: ${(error as Error).message}`);
  }
  return parseMappings(value, file, KNOWN_GATEWAYS);
}
