import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { pino } from 'pino';
import { buildApi, type ApiOptions } from '../../api/app.ts';
import { FRAMEWORKS } from '../../reports/frameworks/index.ts';
import { openEvidencePackages, type PackageBuild } from '../../reports/package/jobs.ts';
import { createTokenVerifier, toTokenEntry } from '../../store/keys/tokens.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { testPublishedLog, type TestPublishedLog } from './sealed-rows.ts';

export const ADMIN_TOKEN = 'admin-token-of-the-tests';
export const COLLECTOR_TOKEN = 'collector-token-of-the-tests';

/** The API over the given store, with everything else real and its own temporary folder. */
export async function openApiStack(
  store: RecordStore,
  overrides: Partial<ApiOptions> & {
    build?: (build: PackageBuild) => Promise<void>;
    /** Beside the log `p0`. */
    otherLogs?: readonly TestPublishedLog[];
  } = {},
) {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-api-'));
  const logLines: string[] = [];
  const logger = pino({ level: 'trace' }, collectInto(logLines));
  let ids = 0;
  const newId = () => `id-${String((ids += 1)).padStart(6, '0')}`;
  const clock = () => Date.UTC(2026, 2, 3);
  const {
    build = ({ path }: PackageBuild) => writeFile(path, 'zip bytes'),
    otherLogs = [],
    ...apiOverrides
  } = overrides;
  const packages = await openEvidencePackages({
    dir: join(dir, 'packages'),
    frameworks: FRAMEWORKS,
    build,
    clock,
    newId,
    logger,
  });
  const published = testPublishedLog();
  const verifyToken = createTokenVerifier([
    toTokenEntry('auditor-desk', 'admin', ADMIN_TOKEN),
    toTokenEntry('laptop-1', 'collector', COLLECTOR_TOKEN),
  ]);
  const readiness = () =>
    Promise.resolve({
      ready: true,
      reasons: [],
      lag: { envelopes: 0, bytes: 0 },
      tree_size: 0,
      published_tree_size: 0,
    });
  const app: FastifyInstance = buildApi({
    evidence: {
      store,
      published: [published, ...otherLogs],
      trees: new Map([published, ...otherLogs].map(({ log, tree }) => [log, tree])),
      packages,
    },
    verifyToken,
    readiness,
    logger,
    clock,
    newId,
    ...apiOverrides,
  });
  const request = (options: InjectOptions) =>
    app.inject({ ...options, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...options.headers } });
  return {
    app,
    published,
    packages,
    logLines,
    /** As an admin. */
    request,
    get: (url: string, headers: Record<string, string> = {}) => request({ method: 'GET', url, headers }),
    async close() {
      await app.close();
      await packages.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export type ApiStack = Awaited<ReturnType<typeof openApiStack>>;

function collectInto(lines: string[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
}
