/**
 * Rotation of the master key. In: a key store and the place of its master keys. Out: every object under a new master key.
 * Invariant: at each moment every object opens under a master key that the store or the object names.
 */
import type { MasterKeyState } from '../../schemas/data-key.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { finishDestructions, type DestroyContext } from './destroy.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import type { KeyObjects } from './key-objects.ts';
import type { MasterKey, MasterKeys } from './master-key.ts';
import { WRAPPED_FOLDERS } from './object-names.ts';
import { rewrapObjects } from './rewrap.ts';

/** Objects that are rewrapped side by side. */
const BATCH_SIZE = 500;
/** Each pass finds what the pass before it missed; creators rewrap what they make meanwhile. */
const MAX_PASSES = 10;

export interface RotateOptions {
  readonly objects: KeyObjects;
  /** `create` makes the new master key; `find` finds the new and the old one. */
  readonly masterKeys: MasterKeys;
  readonly clock: DestroyContext['clock'];
  /** Objects looked at in this pass, and objects that were rewrapped in all. */
  readonly onProgress?: ((looked: number, rewrapped: number) => void) | undefined;
}

export interface Rotation {
  /** Id of the master key that opens nothing any more. */
  readonly retired: string;
  readonly current: string;
  readonly rewrapped: number;
  /** Whether an interrupted rotation was completed, and no new master key was made. */
  readonly isResumed: boolean;
}

/**
 * Rotates the master key, or completes a rotation that was interrupted. Other processes may use the store meanwhile, as long
 * as they find both master keys. After a crash on the line behind each mark it is true that:
 *  1. a master key is there that nothing needs.
 *  2. new objects go under the new key, old ones open under the old one: the next run goes on.
 *  3. nothing is under the old key; the next run sees that and only writes the state.
 * Throws KEY_STORE_UNAVAILABLE where another process rotates too.
 */
export async function rotateMasterKey(options: RotateOptions): Promise<Rotation> {
  const { objects, masterKeys, clock, onProgress } = options;
  const keyring = createKeyring(objects, masterKeys);
  const found = await keyring.state();
  const isResumed = found.retiring !== null;
  const begun = isResumed ? found : await begin(keyring, masterKeys, found); // 2
  const target = await keyring.byId(begun.current);
  await finishDestructions({ objects, keyring, clock });
  let rewrapped = 0;
  for (let pass = 0; ; pass += 1) {
    const changed = await rewrapAll({ objects, keyring, target }, begun, (looked, now) =>
      onProgress?.(looked, rewrapped + now),
    );
    rewrapped += changed;
    if (changed === 0) break;
    if (pass >= MAX_PASSES) throw otherRotation();
  }
  // A rewrapped object may have met its destruction.
  await finishDestructions({ objects, keyring, clock }); // 3
  if (!(await keyring.setState(begun, { current: begun.current, retiring: null }))) throw otherRotation();
  return { retired: found.retiring ?? found.current, current: begun.current, rewrapped, isResumed };
}

async function begin(
  keyring: Keyring,
  masterKeys: MasterKeys,
  found: MasterKeyState,
): Promise<MasterKeyState> {
  // Without the old key nothing could be rewrapped.
  await keyring.byId(found.current);
  const { id } = await masterKeys.create(); // 1
  const begun = { ...found, current: id, retiring: found.current };
  if (!(await keyring.setState(found, begun))) throw otherRotation();
  return begun;
}

/** One pass over all objects; resolves how many it changed. */
async function rewrapAll(
  { objects, keyring, target }: { objects: KeyObjects; keyring: Keyring; target: MasterKey },
  begun: MasterKeyState,
  onBatch: (looked: number, changed: number) => void,
): Promise<number> {
  let looked = 0;
  let changed = 0;
  let batch: string[] = [];
  const rewrapBatch = async () => {
    if ((await keyring.state()).current !== begun.current) throw otherRotation();
    changed += await rewrapObjects({ objects, keyring }, batch, target);
    looked += batch.length;
    onBatch(looked, changed);
    batch = [];
  };
  for (const folder of WRAPPED_FOLDERS) {
    for await (const name of objects.list(folder)) {
      batch.push(name);
      if (batch.length >= BATCH_SIZE) await rewrapBatch();
    }
  }
  if (batch.length > 0) await rewrapBatch();
  return changed;
}

function otherRotation(): PipelineError {
  return new PipelineError('KEY_STORE_UNAVAILABLE', 'another process rotates the master key');
}
