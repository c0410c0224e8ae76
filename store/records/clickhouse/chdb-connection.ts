import type { createClient } from '@clickhouse/client';
import { createChdbConnection } from 'chdb/connection';

/** The connection that `createClient` accepts instead of an address. */
type InProcessConnection = NonNullable<Parameters<typeof createClient>[0]>['connection'] & object;

/** Lines of TabSeparated text for one table; all of them or none. */
export interface TextInsert {
  readonly table: string;
  /** Column of each field, in order. */
  readonly columns: readonly string[];
  readonly text: Buffer;
  /** A second insert of a table under a token that it remembers changes nothing. */
  readonly token: string;
}

interface ChdbConnection {
  readonly connection: InProcessConnection;
  /** Bypasses the client, which would copy the statement and all rows into one text several times. */
  readonly insertText: (insert: TextInsert) => Promise<void>;
}

/**
 * Connection to the engine in this process, one statement at a time.
 *
 * A statement that fails after it began to answer leaves the begun answer in the engine, which puts it in front of the
 * next one: one reader would get another's rows. So a statement starts only when the one before has ended, and after a
 * failure a throw-away statement clears the remains first. This costs no speed: the engine runs statements one after
 * another anyway.
 */
export function openChdbConnection(
  path: string,
  insertSettings: Readonly<Record<string, string | number>>,
): ChdbConnection {
  const engine = createChdbConnection({ path });
  // The end of the newest statement; `inTurn` alone changes it. Never rejects.
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(statement: () => Promise<T>): Promise<T> => {
    const turn = last.then(statement);
    last = turn.catch(() => discardRemains(engine));
    return turn;
  };

  const connection = {
    query: (params: Parameters<typeof engine.query>[0]) => inTurn(() => engine.query(params)),
    exec: (params: Parameters<typeof engine.exec>[0]) => inTurn(() => engine.exec(params)),
    command: (params: Parameters<typeof engine.command>[0]) => inTurn(() => engine.command(params)),
    insert: (params: Parameters<typeof engine.insert>[0]) => inTurn(() => engine.insert(params)),
    ping: (params: Parameters<typeof engine.ping>[0]) => inTurn(() => engine.ping(params)),
    close: () => inTurn(() => engine.close()),
  };
  const insertText = ({ table, columns, text, token }: TextInsert) => {
    const settings = { ...insertSettings, insert_deduplication_token: token };
    const insert = { table, columns: [...columns], values: text, format: 'TabSeparated', settings } as const;
    return inTurn(async () => {
      await engine.chdb.rawInsert(insert);
    });
  };
  // The client's package and the engine's declare this contract with the same members, but one class in it has a
  // private member, so that they are two types. The contract suite runs against this connection.
  return { connection: connection as unknown as InProcessConnection, insertText };
}

async function discardRemains(engine: ReturnType<typeof createChdbConnection>): Promise<void> {
  // Where this fails too, the engine is closed or lost, and the next statement fails with the reason.
  await engine.command({ query: 'SELECT 1' }).catch(() => undefined);
}
