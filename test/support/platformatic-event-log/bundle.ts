/**
 * The second client for the built program. `TEST_KAFKA_CLIENT=@platformatic/kafka` has tests that start processes on a
 * broker start them with it.
 */
import { build, type Plugin } from 'esbuild';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Field } from '../../scale/field.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const BUNDLE = join(ROOT, 'dist/second-client');
const PRELOAD = pathToFileURL(join(import.meta.dirname, 'preload.mjs')).href;

/** The built program's modules are shared with it, so that an error is the same class on both sides. */
const builtModules: Plugin = {
  name: 'built modules',
  setup(bundling) {
    bundling.onResolve({ filter: /\/(ingest|schemas)\/.*\.ts$/ }, ({ path, resolveDir }) => {
      const built = join(ROOT, 'dist', relative(ROOT, resolve(resolveDir, path)));
      return { path: relative(BUNDLE, built).replace(/\.ts$/, '.js'), external: true };
    });
  },
};

/** Options of Node for each process of a deployment; none where the client that ships is wanted. */
export async function kafkaClientOptions(): Promise<readonly string[]> {
  if (process.env['TEST_KAFKA_CLIENT'] !== '@platformatic/kafka') return [];
  await build({
    stdin: {
      contents: "export { createPlatformaticClient as createKafkajsClient } from './client.ts';",
      resolveDir: import.meta.dirname,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    plugins: [builtModules],
    outfile: join(BUNDLE, 'client.mjs'),
    logLevel: 'warning',
  });
  return ['--import', PRELOAD];
}

/** Throws unless each process that has the event log runs on the second client. */
export function requireSecondClient({ seats }: Pick<Field, 'seats'>): void {
  const without = seats.filter(
    ({ role, process }) => role !== 'api' && !process.stderr().includes('runs on @platformatic/kafka'),
  );
  if (without.length > 0) throw new Error(`on kafkajs: ${without.map(({ name }) => name).join(', ')}`);
}
