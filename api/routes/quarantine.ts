import { Type } from 'typebox';
import { HashHex, InstantUtc, SafeCount } from '../../schemas/primitives.ts';
import { listQuarantine, type QuarantinedRecord } from '../../store/records/queries/quarantine.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { GUARDED_PROBLEMS } from '../http/openapi.ts';
import { linkNextPage, PageQuery, pageOf, readPage, type PageSource } from '../http/page.ts';
import type { TypedApp } from '../http/typed-app.ts';

const QuarantineView = Type.Object({
  id: HashHex,
  log: Type.String(),
  leaf_index: SafeCount,
  received_at: InstantUtc,
  integrated_at: InstantUtc,
  collector: Type.String(),
  source_event: Type.String({ description: 'wire format of the request that held the item' }),
  quarantine_reason: Type.String({ description: 'closed list in docs/formats/record.md' }),
  quarantine_pointer: Type.String({ description: "JSON pointer into the body, '' for the whole" }),
  body_sha256: Type.String(),
  input_size_bytes: Type.Union([SafeCount, Type.Null()]),
});

const QuarantinePosition = Type.Object({ log: Type.String(), leaf_index: SafeCount });

/** Items that were kept as they arrived because they could not be read; their bytes are the record's content. */
export function quarantineRoute(app: TypedApp, store: RecordStore): void {
  const source: PageSource<QuarantinedRecord, typeof QuarantinePosition, QuarantinedRecord> = {
    scope: { list: 'quarantine' },
    position: QuarantinePosition,
    read: (after, limit) => store.read(listQuarantine({ after, limit })),
    positionOf: ({ log, leaf_index }) => ({ log, leaf_index }),
    toItem: (row) => row,
  };
  app.get(
    '/v1/quarantine',
    {
      schema: {
        tags: ['completeness'],
        summary: 'Items that could not be read as what they claim to be, in the order they were sealed',
        querystring: Type.Object(PageQuery, { additionalProperties: false }),
        response: { ...GUARDED_PROBLEMS, 200: pageOf(QuarantineView) },
      },
    },
    async (request, reply) => {
      const page = await readPage(request.query, source);
      linkNextPage(request, reply, page);
      return page;
    },
  );
}
