/**
 * The archive of all machines: create-only objects that stay for ever, and an older copy of it where a run asks for one.
 * On the disk of a machine an object stays once its `put` was answered.
 */
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../../store/archive/archive.ts';
import { parseKey } from '../../store/chain/layout.ts';
import { foldersBelow } from '../support/memory-archive.ts';
import type { Coverage } from './coverage.ts';
import type { Disk } from './disk-model.ts';
import type { JudgeOf } from './lane.ts';
import type { Mutant } from './mutants.ts';
import type { Caller, Scheduler } from './scheduler.ts';

export interface ArchiveModel {
  readonly objects: ReadonlyMap<string, Uint8Array>;
  /** Puts in force what there was when there were only so many objects; undefined sets it right again. */
  setBack(objectCount: number | undefined): void;
  /** Puts an object that somebody else wrote, where there is none. */
  putForeign(key: string): void;
  removeForeign(key: string): void;
  portOf(caller: Caller, queryableFor: QueryableFor): Archive;
}

/** Asked when a checkpoint is put: whether the rows of some leaves can be queried, as it promises. */
export type QueryableFor = () => IsQueryable;
export type IsQueryable = (from: number, to: number) => boolean;

const FOREIGN = Buffer.from('of another program\n');

export interface ArchiveWorld {
  readonly scheduler: Scheduler;
  readonly coverage: Coverage;
  readonly judgeOf: JudgeOf;
  readonly mutant: Mutant | undefined;
  /** Where it lies; undefined for a service that keeps what it shows. */
  readonly disk: Disk | undefined;
}

export function createArchiveModel(world: ArchiveWorld): ArchiveModel {
  const { scheduler, coverage, mutant, disk } = world;
  const judgeOf = (key: string) => world.judgeOf(parseKey(key)?.log);
  const whole = new Map<string, Uint8Array>();
  let objects = whole;

  function put(key: string, bytes: Uint8Array, isQueryable: IsQueryable): 'created' | 'exists' {
    const stored = objects.get(key);
    if (stored !== undefined && Buffer.compare(stored, bytes) === 0) return 'exists';
    if (stored !== undefined && mutant !== 'archive_overwrites') {
      const folder = parseKey(key)?.folder ?? 'none';
      coverage.count(`conflict at ${folder}`);
      if (mutant === 'lost_race_ignored' && folder === 'bundle') return 'exists';
      throw new PipelineError('ARCHIVE_CONFLICT', key);
    }
    const into = objects;
    into.set(key, Uint8Array.from(bytes));
    disk?.wrote(key, () => {
      into.delete(key);
      judgeOf(key).objectVanished(key);
    });
    created(key, bytes, isQueryable);
    return 'created';
  }

  function created(key: string, bytes: Uint8Array, isQueryable: IsQueryable): void {
    const folder = parseKey(key)?.folder;
    if (folder === 'bundle') judgeOf(key).bundleCreated(bytes);
    if (folder === 'checkpoint') judgeOf(key).checkpointCreated(Buffer.from(bytes).toString(), isQueryable);
  }

  function answered(key: string, outcome: 'created' | 'exists' | undefined): void {
    judgeOf(key).objectPromised(key);
    if (mutant === 'folder_unflushed' && outcome === 'created') return;
    if (mutant === 'existing_unflushed' && outcome === 'exists') return;
    disk?.flushed(key, disk.now());
  }

  const below = (prefix: string) => [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  const failure = 'ARCHIVE_UNAVAILABLE';

  return {
    get objects() {
      return objects;
    },
    setBack(objectCount) {
      objects = objectCount === undefined ? whole : new Map([...whole].slice(0, objectCount));
    },
    putForeign: (key) => void objects.set(key, FOREIGN),
    removeForeign: (key) => void objects.delete(key),
    portOf: (caller, queryableFor) => ({
      put: (key, bytes) => {
        const name = `archive put ${parseKey(key)?.folder ?? 'none'}`;
        const isQueryable = queryableFor();
        let outcome: 'created' | 'exists' | undefined;
        return scheduler.call(caller, {
          name,
          failure,
          isWrite: true,
          isLocal: disk !== undefined,
          effect: () => (outcome = put(key, bytes, isQueryable)),
          onAnswered: () => answered(key, outcome),
        });
      },
      get: (key) => {
        const name = `archive get ${parseKey(key)?.folder ?? 'none'}`;
        return scheduler.call(caller, { name, failure, effect: () => objects.get(key) });
      },
      list: async function* (prefix, after = '') {
        const name = `archive list ${prefix.split('/')[2] ?? ''}`;
        // Complete as of its start; a second page may not come.
        const keys = await scheduler.call(caller, {
          name,
          failure,
          effect: () => below(prefix).filter((key) => key > after),
        });
        const page = Math.ceil(keys.length / 2);
        yield* keys.slice(0, page);
        if (keys.length < 2) return;
        await scheduler.call(caller, { name: `${name} next page`, failure, effect: () => undefined });
        yield* keys.slice(page);
      },
      folders: (prefix) => {
        const name = `archive folders ${prefix.split('/')[2] ?? ''}`;
        return scheduler.call(caller, { name, failure, effect: () => foldersBelow(objects.keys(), prefix) });
      },
      close: () => Promise.resolve(),
    }),
  };
}
