import type { createClient } from '@clickhouse/client';
import { createChdbConnection } from 'chdb/connection';

/** What `createClient` takes in place of an address. */
export type InProcessConnection = NonNullable<Parameters<typeof createClient>[0]>['connection'] & object;

/**
 * Connection to the engine in this process, one statement at a time.
 *
 * A statement that fails after it began to answer leaves what it had answered in the engine, which puts it in front of
 * the next answer: one reader would get another's rows. So no statement starts before the one in front of it is done
 * with, and a failed one is done with when a throw-away statement has taken its remains. This costs no speed: the
 * engine runs statements one after another anyway.
 */
export function openChdbConnection(path: string): InProcessConnection {
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
  // The client's package and the engine's declare this contract with the same members, but one class in it has a
  // private member, which makes two types of it. The contract suite runs against what comes out.
  return connection as unknown as InProcessConnection;
}

async function discardRemains(engine: ReturnType<typeof createChdbConnection>): Promise<void> {
  // Where this fails too, the engine is closed or lost, and the next statement says so itself.
  await engine.command({ query: 'SELECT 1' }).catch(() => undefined);
}
