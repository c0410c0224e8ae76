/** Where a collector keeps how far it came. Part of the composition root. */
import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { PipelineError } from '../schemas/errors.ts';
import { InstantUtc } from '../schemas/primitives.ts';
import { readSecretFile, writeSecretFile } from '../store/keys/secret-file.ts';

/** The newest item that the log has. */
const Cursor = Type.Object({ created_at: InstantUtc, id: Type.String() });
export type Cursor = Static<typeof Cursor>;

/** Undefined before the first pull. Throws START_REFUSED for a file of another shape. */
export function readCursor(file: string): Promise<Cursor | undefined> {
  return readState(file, Cursor);
}

/** When it resolves the cursor survives a power loss; before, the old one does. */
export function writeCursor(file: string, cursor: Cursor): Promise<void> {
  return writeState(file, cursor);
}

/** What a collector remembers in a shape of its own. Undefined before it was written; throws as `readCursor`. */
export async function readState<Schema extends TSchema>(
  file: string,
  schema: Schema,
): Promise<Static<Schema> | undefined> {
  const bytes = await readSecretFile(file);
  if (bytes === undefined) return undefined;
  try {
    return Value.Parse(schema, JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new PipelineError('START_REFUSED', `${file} does not read as written`, { cause });
  }
}

/** As durable as a cursor. Of two processes that write one file at once the later wins. */
export function writeState(file: string, state: object): Promise<void> {
  return writeSecretFile(file, `${JSON.stringify(state)}\n`);
}
