import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { PART_KINDS } from '../../schemas/bundle.ts';
import { packLines } from '../../store/chain/bundle-bytes.ts';
import { payloadKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { secretLine } from '../../store/chain/part.ts';
import { overwrite, removeObject, replaceObject } from '../support/archive-folder.ts';
import { describeArchiveCases, exchanged, read, type ArchiveCase } from './archive-cases.ts';
import {
  edited,
  forgeBundle,
  forgePayload,
  forgeStored,
  payloadLines,
  payloadRef,
  putObject,
  TREE_SIZE,
} from './forge.ts';

/** A line of the bundle at 10 in each kind of object, and the index of its leaf. */
const REWRITTEN = {
  facts: { line: 2, index: 13 },
  person: { line: 1, index: 13 },
  content: { line: 2, index: 14 },
};
/** Index of the last leaf of that bundle that has the part. */
const LAST = { facts: 14, person: 13, content: 14 };

const PAYLOADS: readonly ArchiveCase[] = [
  ...PART_KINDS.flatMap((kind): ArchiveCase[] => [
    {
      name: `a byte of ${kind} edited`,
      tamper: async (dir) => {
        const { key } = await payloadRef(dir, 10, kind);
        await overwrite(join(dir, key), edited(await read(dir, key), 60));
      },
      code: 'payload_damaged',
      index: 11,
      names: `log/p0/${kind}/content/00000000000/000/000/00000000000000000010`,
    },
    {
      name: `${kind} removed`,
      tamper: async (dir) => removeObject(dir, (await payloadRef(dir, 10, kind)).key),
      code: 'payload_missing',
      index: 11,
      names: `log/p0/${kind}/content/00000000000/000/000/00000000000000000010`,
    },
    {
      name: `a line of ${kind} rewritten, and all digests made to fit`,
      tamper: (dir) =>
        forgePayload(dir, 10, kind, (lines) =>
          lines.with(REWRITTEN[kind].line, lines[REWRITTEN[kind].line]!.replace(/Bash|echo|person-/, 'exec')),
        ),
      code: 'payload_mismatch',
      index: REWRITTEN[kind].index,
      names: `${kind} of leaf`,
    },
    {
      name: `two lines of ${kind} swapped`,
      tamper: (dir) => forgePayload(dir, 10, kind, (lines) => exchanged(lines, 0, 1)),
      code: 'payload_mismatch',
      index: 11,
      names: `${kind} of leaf 11`,
    },
    {
      name: `the last line of ${kind} dropped`,
      tamper: (dir) => forgePayload(dir, 10, kind, (lines) => lines.slice(0, -1)),
      code: 'payload_mismatch',
      index: LAST[kind],
      names: `${kind} of leaf ${String(LAST[kind])}`,
    },
    {
      name: `the secret of ${kind} replaced`,
      tamper: (dir) =>
        forgeStored(dir, 10, kind, (lines) => lines.with(0, secretLine(Buffer.alloc(32, 'other')))),
      code: 'payload_mismatch',
      index: 11,
      names: `${kind} of leaf 11`,
    },
    {
      name: `the secret of ${kind} dropped`,
      tamper: (dir) => forgeStored(dir, 10, kind, (lines) => lines.slice(1)),
      code: 'payload_damaged',
      index: 11,
      names: `log/p0/${kind}/content/00000000000/000/000/00000000000000000010`,
    },
    {
      name: `the secret of ${kind} in another spelling`,
      tamper: (dir) => forgeStored(dir, 10, kind, (lines) => lines.with(0, lines[0]!.replace('":"', '": "'))),
      code: 'payload_damaged',
      index: 11,
      names: `log/p0/${kind}/content/00000000000/000/000/00000000000000000010`,
    },
    {
      name: `a part of ${kind} that says it is of the other kind`,
      tamper: (dir) =>
        forgePayload(dir, 10, kind, (lines) =>
          lines.with(0, lines[0]!.replace(`"name":"${kind}"`, '"name":"other"')),
        ),
      code: 'payload_mismatch',
      index: 11,
      names: `${kind} of leaf 11`,
    },
    {
      name: `${kind} replaced by those of an older bundle`,
      tamper: async (dir) => {
        const older = await payloadLines(dir, 4, kind);
        await forgePayload(dir, 10, kind, () => older);
      },
      code: 'payload_mismatch',
      index: 11,
      names: `${kind} of leaf 11`,
    },
  ]),
  {
    name: 'a line of facts duplicated',
    tamper: (dir) => forgePayload(dir, 10, 'facts', (lines) => [...lines, lines[0]!]),
    code: 'payload_mismatch',
    index: 11,
    names: 'holds lines of no leaf',
  },
  {
    name: 'facts packed again under their old name',
    tamper: async (dir) => {
      const { key } = await payloadRef(dir, 10, 'facts');
      await replaceObject(dir, key, gzipSync(gunzipSync(await read(dir, key)), { level: 0 }));
    },
    code: 'payload_damaged',
    index: 11,
    names: 'the right lines in other bytes',
  },
  {
    name: 'a header that does not name its content any more',
    tamper: (dir) =>
      forgeBundle(dir, 10, (bundle) => ({
        header: {
          ...bundle.header,
          payloads: bundle.header.payloads.filter(
            (ref) => ref.kind === 'facts' || ref.retention_class === 'file',
          ),
        },
      })),
    code: 'payload_missing',
    index: 11,
    names: 'content/content',
  },
  {
    name: 'facts of a bundle that is not there',
    tamper: async (dir) => {
      const bytes = await packLines(['{"left":1}']);
      const ref = { kind: 'facts', retention_class: 'content', sha256: sha256Hex(bytes) } as const;
      await putObject(dir, payloadKey('p0', ref, 40), bytes);
    },
    code: 'bundle_missing',
    index: TREE_SIZE,
    names: 'was written after leaves that are not there',
  },
];

describeArchiveCases('facts, person and content', PAYLOADS);
