import { join } from 'node:path';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { checkpointKey, genesisKey } from '../../store/chain/layout.ts';
import { overwrite, removeObject, replaceObject } from '../support/archive-folder.ts';
import { createTestSigner } from '../support/ledger.ts';
import {
  describeArchiveCases,
  LOG_SIGNER,
  read,
  replaceBy,
  swapObjects,
  type ArchiveCase,
} from './archive-cases.ts';
import { cutBackTo, edited, putObject, readBundle, removeCheckpoints, signHead, TREE_SIZE } from './forge.ts';

const ROOT = 'f'.repeat(64);
const C15 = checkpointKey('p0', 15);

const signed = (head: { tree_size: number; root_hash: string }, signer = LOG_SIGNER) =>
  signHead(signer, head).then((note) => Buffer.from(note));

const CHECKPOINTS: readonly ArchiveCase[] = [
  {
    name: 'a checkpoint with one byte edited',
    tamper: async (dir) => overwrite(join(dir, C15), edited(await read(dir, C15), 30)),
    code: 'object_damaged',
    index: null,
    names: C15,
  },
  {
    name: 'a checkpoint edited, its lock file made to fit',
    tamper: async (dir) => replaceObject(dir, C15, edited(await read(dir, C15), 30)),
    code: 'checkpoint_invalid',
    index: null,
    names: C15,
  },
  {
    name: 'a checkpoint cut off',
    tamper: async (dir) => replaceObject(dir, C15, (await read(dir, C15)).subarray(0, -20)),
    code: 'checkpoint_invalid',
    index: null,
    names: C15,
  },
  {
    name: 'a checkpoint without signature',
    tamper: async (dir) => {
      const text = (await read(dir, C15)).toString();
      await replaceObject(dir, C15, Buffer.from(text.slice(0, text.indexOf('\n\n') + 2)));
    },
    code: 'checkpoint_invalid',
    index: null,
    names: C15,
  },
  {
    name: 'a checkpoint with a second signature line, of a key that nobody knows',
    tamper: async (dir) =>
      replaceObject(
        dir,
        C15,
        Buffer.from(`${(await read(dir, C15)).toString()}— x.example aGlkZGVuIGJ5dGVz\n`),
      ),
    code: 'checkpoint_invalid',
    index: null,
    names: C15,
  },
  {
    name: 'a checkpoint with its own signature twice',
    tamper: async (dir) => {
      const note = (await read(dir, C15)).toString();
      await replaceObject(dir, C15, Buffer.from(note + note.slice(note.indexOf('\n\n') + 2)));
    },
    code: 'checkpoint_invalid',
    index: null,
    names: C15,
  },
  {
    name: 'a checkpoint removed from the middle',
    tamper: (dir) => removeCheckpoints(dir, [15]),
    code: 'checkpoint_missing',
    index: null,
    names: 'no checkpoint of 15 leaves',
  },
  {
    name: 'two checkpoints swapped',
    tamper: (dir) => swapObjects(dir, checkpointKey('p0', 10), C15),
    code: 'checkpoint_misplaced',
    index: null,
    names: `${checkpointKey('p0', 10)} holds the head of 15`,
  },
  {
    name: 'the newest checkpoint replaced by an older one',
    tamper: (dir) => replaceBy(dir, checkpointKey('p0', 30), C15),
    code: 'checkpoint_misplaced',
    index: null,
    names: `${checkpointKey('p0', 30)} holds the head of 15`,
  },
  {
    name: 'a checkpoint signed anew by another key',
    tamper: async (dir) => {
      const { root_hash } = (await readBundle(dir, 10)).header;
      await replaceObject(dir, C15, await signed({ tree_size: 15, root_hash }, createTestSigner()));
    },
    code: 'checkpoint_other_key',
    index: null,
    names: C15,
  },
  {
    name: 'a second head of a size, signed by the key, in place of the first',
    tamper: async (dir) => replaceObject(dir, C15, await signed({ tree_size: 15, root_hash: ROOT })),
    code: 'checkpoint_root_mismatch',
    index: 10,
    names: `${C15} signs root ${ROOT}`,
  },
  {
    name: 'a signed head of leaves that are not there',
    tamper: async (dir) =>
      putObject(dir, checkpointKey('p0', 40), await signed({ tree_size: 40, root_hash: ROOT })),
    code: 'bundle_missing',
    index: TREE_SIZE,
    names: 'a head of 40 leaves was signed',
  },
  {
    name: 'a signed head between two bundles',
    tamper: async (dir) =>
      putObject(dir, checkpointKey('p0', 12), await signed({ tree_size: 12, root_hash: ROOT })),
    code: 'checkpoint_invalid',
    index: null,
    names: `${checkpointKey('p0', 12)} is at no bundle's end`,
  },
  {
    name: 'the log cut back, its newest checkpoint kept',
    tamper: async (dir) => {
      const newest = await read(dir, checkpointKey('p0', 30));
      await cutBackTo(dir, 15);
      await putObject(dir, checkpointKey('p0', 30), newest);
    },
    code: 'bundle_missing',
    index: 15,
    names: 'a head of 30 leaves was signed',
  },
  {
    name: 'no genesis',
    tamper: (dir) => removeObject(dir, genesisKey('p0')),
    code: 'genesis_malformed',
    index: null,
    names: genesisKey('p0'),
  },
  {
    name: 'another key in the genesis',
    tamper: async (dir) => {
      const genesis = JSON.parse((await read(dir, genesisKey('p0'))).toString()) as Record<string, string>;
      const text = canonicalJson({ ...genesis, vkey: createTestSigner().vkey });
      await replaceObject(dir, genesisKey('p0'), Buffer.from(`${text}\n`));
    },
    code: 'checkpoint_other_key',
    index: null,
    names: checkpointKey('p0', 4),
  },
  ...Object.entries({ created_at: '2020-01-01T00:00:00.000Z', synthetic: true, signature: '' }).map(
    ([member, value]) => ({
      name: `another ${member} in the genesis`,
      tamper: async (dir: string) => {
        const genesis = JSON.parse((await read(dir, genesisKey('p0'))).toString()) as JsonObject;
        const text = canonicalJson({ ...genesis, [member]: value });
        await replaceObject(dir, genesisKey('p0'), Buffer.from(`${text}\n`));
      },
      code: 'genesis_unsigned' as const,
      index: null,
      names: genesisKey('p0'),
    }),
  ),
];

describeArchiveCases('checkpoints and the genesis', CHECKPOINTS);
