/** The state that a puller keeps between two runs, such as the cursor of how far it came. */
import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { PipelineError } from '../../schemas/errors.ts';
import { InstantUtc } from '../../schemas/primitives.ts';

/** PORT: one state of one puller, on stable storage. */
export interface StateFile {
  /** Its name, for messages. */
  readonly path: string;
  /** Undefined before the first write. */
  read(): Promise<Buffer | undefined>;
  /**
   * Resolves when the new bytes survive a power loss; until then the old ones do. If two processes write at once, the
   * later write wins.
   */
  write(bytes: string): Promise<void>;
}

/** The newest item that the log has. */
const Cursor = Type.Object({ created_at: InstantUtc, id: Type.String() });
export type Cursor = Static<typeof Cursor>;

/** Undefined before the first pull. Throws START_REFUSED for a file of another shape. */
export function readCursor(file: StateFile): Promise<Cursor | undefined> {
  return readState(file, Cursor);
}

export function writeCursor(file: StateFile, cursor: Cursor): Promise<void> {
  return writeState(file, cursor);
}

/** A state in the puller's own shape. Undefined before it was written. Throws START_REFUSED for another shape. */
export async function readState<Schema extends TSchema>(
  file: StateFile,
  schema: Schema,
): Promise<Static<Schema> | undefined> {
  const bytes = await file.read();
  if (bytes === undefined) return undefined;
  try {
    return Value.Parse(schema, JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new PipelineError(
      'START_REFUSED',
      `${file.path} is damaged: it is not the state of this collector`,
      {
        cause,
      },
    );
  }
}

export function writeState(file: StateFile, state: object): Promise<void> {
  return file.write(`${JSON.stringify(state)}\n`);
}
