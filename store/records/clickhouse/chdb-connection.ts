import type { createClient } from '@clickhouse/client';
import { createChdbConnection } from 'chdb/connection';

/** What `createClient` takes in place of an address. */
export type InProcessConnection = NonNullable<Parameters<typeof createClient>[0]>['connection'] & object;

/** Lines of TabSeparated text for one table; all of them or none. */
export interface TextInsert {
  readonly table: string;
  /** Of each field, in order. */
  readonly columns: readonly string[];
  readonly text: Buffer;
  /** A second insert of a table under a token that it remembers changes nothing. */
  readonly token: string;
}

export interface ChdbConnection {
  readonly connection: InProcessConnection;
  /** Past the client, which would make one text of the statement and all rows, several times over. */
  readonly insertText: (insert: TextInsert) => Promise<void>;
}

/**
 * Connection to the engine in this process, one statement at a time.
 *
 * A statement that fails after it began to answer leaves what it had answered in the engine, which puts it in front of
 * the next answer: one reader would get another's rows. So no statement starts before the one in front of it is done
 * with, and a failed one is done with when a throw-away statement has taken its remains. This costs no speed: the
 * engine runs statements one after another anyway.
 */
export function openChdbConnection(
  path: string,
  insertSettings: Readonly<Record<string, string | number>>,
): ChdbConnection {
  const engine = createChdbConnection({ path });
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
  // private member, which makes two types of it. The contract suite runs against what comes out.
  return { connection: connection as unknown as InProcessConnection, insertText };
}

async function discardRemains(engine: ReturnType<typeof createChdbConnection>): Promise<void> {
  // Where this fails too, the engine is closed or lost, and the next statement says so itself.
  await engine.command({ query: 'SELECT 1' }).catch(() => undefined);
}
