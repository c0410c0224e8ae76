import { open } from 'node:fs/promises';
import { Type, type Static } from 'typebox';
import { Period } from '../../schemas/control.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { HashHex, InstantUtc, SafeCount } from '../../schemas/primitives.ts';
import { FRAMEWORKS } from '../../reports/frameworks/index.ts';
import type { EvidencePackages, PackageJob } from '../../reports/package/packages.ts';
import type { PublishedLog } from '../../store/ledger/published-log.ts';
import { principalOf } from '../http/auth.ts';
import { chooseLog } from './chosen-log.ts';
import { GUARDED_PROBLEMS, problemAnswer } from '../http/openapi.ts';
import { linkNextPage, PageQuery, pageOf, readPage, type PageSource } from '../http/page.ts';
import { checkInterval } from '../http/interval.ts';
import type { TypedApp } from '../http/typed-app.ts';

const PATH = '/v1/evidence-packages';

const FrameworkName = Type.Union(FRAMEWORKS.map(({ id }) => Type.Literal(id)));

const PackageOrder = Type.Object(
  {
    framework: FrameworkName,
    period: Period,
    log: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'short name of the log, e.g. p0; needed where there are several',
      }),
    ),
  },
  { additionalProperties: false, description: 'period is half-open, on the received_at clock' },
);

const PackageJobAnswer = Type.Object({
  id: Type.String(),
  state: Type.Union([Type.Literal('running'), Type.Literal('ready'), Type.Literal('failed')]),
  request: Type.Object({
    framework: FrameworkName,
    period: Period,
    log: Type.Optional(Type.String()),
    requested_by: Type.String(),
  }),
  requested_at: InstantUtc,
  finished_at: Type.Union([InstantUtc, Type.Null()]),
  failure: Type.Union([Type.String({ description: 'error code' }), Type.Null()]),
  sha256: Type.Union([HashHex, Type.Null()]),
  size_bytes: Type.Union([SafeCount, Type.Null()]),
});

const JobId = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) });
const NO_PACKAGE = problemAnswer('NOT_FOUND: no package has this id');

/** Orders, lists and downloads evidence packages; a package is built in the background. */
export function evidencePackageRoutes(
  app: TypedApp,
  packages: EvidencePackages,
  published: readonly PublishedLog[],
): void {
  orderRoute(app, packages, published);
  listRoute(app, packages);
  jobRoute(app, packages);
  downloadRoute(app, packages);
}

function orderRoute(app: TypedApp, packages: EvidencePackages, published: readonly PublishedLog[]): void {
  app.post(
    PATH,
    {
      schema: {
        tags: ['evidence'],
        summary: 'Order an evidence package; poll the job at Location until it is ready or failed',
        body: PackageOrder,
        response: { ...GUARDED_PROBLEMS, 202: PackageJobAnswer },
      },
    },
    async (request, reply) => {
      const { framework, period } = request.body;
      checkInterval(period, { from: '/body/period/from', to: '/body/period/to' });
      const { log } = chooseLog(published, request.body.log, '/body/log');
      const job = await packages.create({
        framework,
        period,
        log,
        requested_by: principalOf(request)?.id ?? 'unknown',
      });
      return reply
        .code(202)
        .header('location', `${PATH}/${encodeURIComponent(job.id)}`)
        .send(job);
    },
  );
}

function listRoute(app: TypedApp, packages: EvidencePackages): void {
  app.get(
    PATH,
    {
      schema: {
        tags: ['evidence'],
        summary: 'Evidence packages, newest first',
        querystring: Type.Object(PageQuery, { additionalProperties: false }),
        response: { ...GUARDED_PROBLEMS, 200: pageOf(PackageJobAnswer) },
      },
    },
    async (request, reply) => {
      const page = await readPage(request.query, jobSource(packages));
      linkNextPage(request, reply, page);
      return page;
    },
  );
}

function jobRoute(app: TypedApp, packages: EvidencePackages): void {
  app.get(
    `${PATH}/:id`,
    {
      schema: {
        tags: ['evidence'],
        summary: 'One evidence package: its state, and its digest once ready',
        params: JobId,
        response: { ...GUARDED_PROBLEMS, 200: PackageJobAnswer, 404: NO_PACKAGE },
      },
    },
    async (request) => findJob(packages, request.params.id),
  );
}

function downloadRoute(app: TypedApp, packages: EvidencePackages): void {
  app.get(
    `${PATH}/:id/download`,
    {
      schema: {
        tags: ['evidence'],
        summary: 'The package as a ZIP; check it with `affidavit verify`',
        params: JobId,
        response: {
          ...GUARDED_PROBLEMS,
          200: {
            description: 'ZIP with its SHA-256 in Repr-Digest',
            content: { 'application/zip': { schema: Type.String({ format: 'binary' }) } },
          },
          404: NO_PACKAGE,
          409: problemAnswer('PACKAGE_NOT_READY: poll the job first'),
        },
      },
    },
    async (request, reply) => {
      const job = await findJob(packages, request.params.id);
      // Opened before the answer begins, so that an unreadable file is answered as a problem and not as a ZIP cut short.
      const file = await open(await packages.file(job.id));
      void reply.headers({
        'content-type': 'application/zip',
        'content-length': (await file.stat()).size,
        'content-disposition': `attachment; filename="affidavit-${job.id.replaceAll(/[^\w.-]/g, '_')}.zip"`,
      });
      if (job.sha256 !== null) void reply.header('repr-digest', reprDigest(job.sha256));
      return reply.send(file.createReadStream());
    },
  );
}

async function findJob(packages: EvidencePackages, id: string): Promise<PackageJob> {
  const job = await packages.get(id);
  if (job === undefined) throw new PipelineError('NOT_FOUND', 'no evidence package has this id');
  return job;
}

/** RFC 9530: a structured-field byte sequence, which is base64 between colons. */
function reprDigest(sha256Hex: string): string {
  return `sha-256=:${Buffer.from(sha256Hex, 'hex').toString('base64')}:`;
}

const JobPosition = Type.Object({ requested_at: InstantUtc, id: Type.String() });

function jobSource(packages: EvidencePackages): PageSource<PackageJob, typeof JobPosition, PackageJob> {
  return {
    scope: { list: 'evidence-packages' },
    position: JobPosition,
    async read(after, limit) {
      const newestFirst = [...(await packages.list())].sort((a, b) => comparePositions(b, a));
      const rest = newestFirst.filter((job) => after === undefined || comparePositions(job, after) < 0);
      return rest.slice(0, limit);
    },
    positionOf: ({ requested_at, id }) => ({ requested_at, id }),
    toItem: (job) => job,
  };
}

function comparePositions(a: Static<typeof JobPosition>, b: Static<typeof JobPosition>): number {
  if (a.requested_at !== b.requested_at) return a.requested_at < b.requested_at ? -1 : 1;
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}
