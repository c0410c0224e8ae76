/** A real LiteLLM proxy in front of a scripted model; its generic callback and its spans go to the built server. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { COLLECTOR_TOKEN, getAll, makeTempDir, startServer, type TestServer } from '../support/server.ts';
import type { ToolCall } from '../../schemas/tool-call.ts';
import { startChild, type Child } from './child.ts';
import { findLitellm } from './engines.ts';

const proxy = await findLitellm();
const reason = 'skipped' in proxy ? `(skipped: ${proxy.skipped})` : '';
const MASTER_KEY = 'sk-only-for-tests';
const SESSION = '0f8fad5b-d9cb-469f-a165-70867728950e';
const CALLS = 5;

describe.skipIf('skipped' in proxy)(`a real LiteLLM proxy ${reason}`, { timeout: 300_000 }, () => {
  let folder: Awaited<ReturnType<typeof makeTempDir>>;
  let server: TestServer;
  let model: Server;
  let gateway: Child;
  let url = '';

  beforeAll(async () => {
    folder = await makeTempDir();
    server = await startServer(join(folder.path, 'data'));
    model = await startModel();
    const config = join(folder.path, 'litellm.yaml');
    const modelPort = (model.address() as AddressInfo).port;
    await writeFile(config, proxyConfig(modelPort));
    const port = await freePort();
    url = `http://127.0.0.1:${String(port)}`;
    const env = {
      GENERIC_LOGGER_ENDPOINT: `${server.ingestUrl}/v1/gateways/litellm`,
      GENERIC_LOGGER_HEADERS: `Authorization=Bearer ${COLLECTOR_TOKEN}`,
      OTEL_EXPORTER: 'otlp_http',
      OTEL_ENDPOINT: `${server.ingestUrl}/v1/traces`,
      OTEL_HEADERS: `Authorization=Bearer ${COLLECTOR_TOKEN}`,
      LITELLM_MASTER_KEY: MASTER_KEY,
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
      NO_DOCS: 'True',
    };
    const python = join('path' in proxy ? proxy.path : '', 'bin', 'python');
    const main = 'from litellm import run_server; run_server()';
    const args = ['-c', main, '--config', config, '--host', '127.0.0.1', '--port', String(port)];
    gateway = await startChild(python, args, env, async () => (await fetch(`${url}/health/liveliness`)).ok);
  }, 240_000);
  afterAll(async () => {
    await gateway.stop();
    model.close();
    await server.stop();
    await folder.remove();
  });

  it('delivers every call, by callback and as spans, with what the model was told', async () => {
    for (let turn = 0; turn < CALLS; turn += 1) expect((await ask(url, turn)).status).toBe(200);
    expect((await ask(url, 0, 'no-such-model')).status).toBeGreaterThanOrEqual(400);
    // Each is told of twice, by callback and by span, under one id.
    const calls = await untilCount(server, CALLS * 2);
    expect(calls).toMatchObject(
      Array.from({ length: CALLS * 2 }, () => ({
        type: 'model.called',
        facts: { gateway: 'litellm', session_id: SESSION, success: true, model: 'scripted' },
      })),
    );
    expect(new Set(calls.map(({ facts }) => facts.request_id)).size).toBe(CALLS);
    const spans = await getAll<{ type: string }>(server, '/v1/records?type=span.observed&limit=1000');
    expect(spans.length).toBeGreaterThanOrEqual(CALLS);
    const [call, ...others] = await getAll<ToolCall>(server, `/v1/tool-calls?session_id=${SESSION}`);
    expect(others).toEqual([]);
    expect(call).toMatchObject({
      tool_use_id: 'toolu_1',
      tool_name: 'Read',
      outcome: 'executed',
      seen_by: ['gateway'],
    });
  });
});

interface Call {
  readonly type: string;
  readonly facts: { readonly request_id?: string };
}

async function untilCount(server: TestServer, count: number): Promise<Call[]> {
  const limitMs = performance.now() + 60_000;
  for (;;) {
    const calls = await getAll<Call>(
      server,
      `/v1/records?session_id=${SESSION}&type=model.called&limit=1000`,
    );
    if (calls.length >= count || performance.now() > limitMs) return calls;
    await delay(500);
  }
}

/** A client of the Messages API that repeats its conversation, as agents do. */
function ask(url: string, turn: number, model = 'scripted'): Promise<Response> {
  const told = [
    {
      role: 'assistant',
      content: [{ type: 'tool_use', id: 'toolu_1', name: 'Read', input: { file_path: '/a' } }],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: '1\thello' }] },
  ];
  const messages = [{ role: 'user', content: 'please read a' }, ...(turn === 0 ? [] : told)];
  return fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'anthropic-version': '2023-06-01',
      'x-api-key': MASTER_KEY,
      'x-claude-code-session-id': SESSION,
    },
    body: JSON.stringify({ model, max_tokens: 100, messages }),
  });
}

/** Asks for the tool at first, and is content with whatever it is told of it. */
async function startModel(): Promise<Server> {
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const isFirst = !text.includes('tool_result');
      const content = isFirst
        ? [{ type: 'tool_use', id: 'toolu_1', name: 'Read', input: { file_path: '/a' } }]
        : [{ type: 'text', text: 'It says hello.' }];
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          id: `msg_${String(Math.random()).slice(2)}`,
          type: 'message',
          role: 'assistant',
          model: 'scripted',
          content,
          stop_reason: isFirst ? 'tool_use' : 'end_turn',
          stop_sequence: null,
          usage: { input_tokens: 11, output_tokens: 7 },
        }),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function proxyConfig(modelPort: number): string {
  return `model_list:
  - model_name: scripted
    litellm_params:
      model: anthropic/scripted
      api_key: none
      api_base: http://127.0.0.1:${String(modelPort)}
litellm_settings:
  callbacks: [generic_api, otel]
  telemetry: false
`;
}
