/**
 * The ClickHouse engine behind the HTTP protocol of a ClickHouse server: the engine is the real one (chDB), the front is
 * this file. One statement a request, as `@clickhouse/client` sends it. Arguments: folder of the engine, port (0 takes
 * a free one). Says `listening <port>` on standard output.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { createChdbConnection } from 'chdb/connection';

const [path = '', port = '0'] = process.argv.slice(2);
const engine = createChdbConnection({ path });
const PASSWORD = process.env['FRONT_PASSWORD'];

/** Parameters of a request that are no settings of the engine. */
const OWN_PARAMETERS = new Set(['query', 'query_id', 'database', 'session_id', 'role', 'default_format']);

interface Statement {
  readonly query: string;
  readonly query_params: Record<string, string>;
  readonly clickhouse_settings: Record<string, string>;
  /** Data of an insert, beside its statement. */
  readonly values: string | undefined;
}

function readStatement(url: URL, body: string): Statement {
  const query_params: Record<string, string> = {};
  const clickhouse_settings: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) query_params[name.slice('param_'.length)] = unescapeValue(value);
    else if (!OWN_PARAMETERS.has(name)) clickhouse_settings[name] = value;
  }
  const query = url.searchParams.get('query');
  return query === null
    ? { query: body, query_params, clickhouse_settings, values: undefined }
    : { query, query_params, clickhouse_settings, values: body };
}

/** Values travel in the engine's escaped text; the engine's own binding escapes them again. */
function unescapeValue(text: string): string {
  const plain: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', b: '\b', f: '\f', '0': '\0' };
  return text.replaceAll(/\\(.)/gs, (_, mark: string) => plain[mark] ?? mark);
}

async function run({ values, ...statement }: Statement): Promise<Buffer> {
  if (values !== undefined) {
    await engine.insert({ ...statement, values });
    return Buffer.of();
  }
  const { stream } = await engine.exec(statement);
  return buffer(stream);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const bytes = await buffer(request);
  return (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
}

function send(request: IncomingMessage, response: ServerResponse, status: number, body: Buffer): void {
  const takesGzip = request.headers['accept-encoding']?.includes('gzip') === true;
  if (takesGzip) response.setHeader('content-encoding', 'gzip');
  response.writeHead(status).end(takesGzip ? gzipSync(body) : body);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://front');
  if (url.pathname === '/ping') {
    send(request, response, 200, Buffer.from('Ok.\n'));
    return;
  }
  const body = await readBody(request);
  const given = Buffer.from(String(request.headers.authorization).replace('Basic ', ''), 'base64').toString();
  if (PASSWORD !== undefined && given !== `affidavit:${PASSWORD}`) {
    refuse(
      request,
      response,
      '516',
      'Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)',
    );
    return;
  }
  try {
    send(request, response, 200, await run(readStatement(url, body)));
  } catch (error) {
    // What a failed statement had answered would come in front of the next answer.
    await engine.command({ query: 'SELECT 1' }).catch(() => undefined);
    const { message, code } = error as Error & { code?: string };
    const type = (error as { type?: string }).type ?? 'UNKNOWN_EXCEPTION';
    refuse(request, response, code ?? '1002', `Code: ${code ?? '1002'}. DB::Exception: ${message} (${type})`);
  }
}

function refuse(request: IncomingMessage, response: ServerResponse, code: string, text: string): void {
  response.setHeader('x-clickhouse-exception-code', code);
  send(request, response, 500, Buffer.from(`${text}\n`));
}

/** The engine takes one statement at a time. */
let last: Promise<void> = Promise.resolve();
const server = createServer((request, response) => {
  last = last.then(() => answer(request, response)).catch(() => void response.destroy());
});
server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`listening ${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => {
  server.close(() => void engine.close().then(() => process.exit(0)));
  server.closeAllConnections();
});
// Whoever started this holds the other end of standard input: with it gone, nobody needs the front.
process.stdin.on('end', () => process.exit(1)).resume();
