import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../../../ingest/normalise.ts';
import { buildReceivers } from '../../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../../ingest/surrogates.ts';
import type { AuditRecord } from '../../../../schemas/record.ts';
import { JSON_HEADERS, prepareBench } from '../../../ingest/receivers/setup.ts';

const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });

/** Sends a body as an exporter does, and reads what is kept of it. */
async function recordsOf(signal: 'logs' | 'traces', body: object): Promise<readonly AuditRecord[]> {
  const bench = prepareBench();
  const app = buildReceivers(bench.options);
  const answer = await app.inject({
    method: 'POST',
    url: `/v1/${signal}`,
    headers: JSON_HEADERS,
    payload: JSON.stringify(body),
  });
  expect([answer.statusCode, answer.json()]).toEqual([200, {}]);
  const surrogates = createSurrogates(Buffer.alloc(32, 7));
  const normalise = createNormaliser({ surrogates });
  return bench.appended.flatMap((envelope) => normalise(envelope).records);
}

const resourceOf = (service: string) => ({
  attributes: [attribute('service.name', service), attribute('user.email', 'ada@example.com')],
});

function spanOf(service: string, scope: string, name: string, attributes: object[]): object {
  const span = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    name,
    kind: 1,
    startTimeUnixNano: '1772442000000000000',
    endTimeUnixNano: '1772442000250000000',
    attributes,
  };
  const scopeSpans = [{ scope: { name: scope }, spans: [span] }];
  return { resourceSpans: [{ resource: resourceOf(service), scopeSpans }] };
}

function logOf(service: string, scope: string, attributes: object[]): object {
  const logRecords = [
    { timeUnixNano: '1772442000000000000', body: { stringValue: 'claude_code.tool_decision' }, attributes },
  ];
  return {
    resourceLogs: [{ resource: resourceOf(service), scopeLogs: [{ scope: { name: scope }, logRecords }] }],
  };
}

/** Made up after what is documented; none was recorded. */
describe('telemetry of the apps', () => {
  it.each([
    ['office-agent', 'office-agent', 'agent.tool_execution', 'tool.accept_decision', 'manual'],
    ['claude-platform', 'com.anthropic.claude-platform', 'messages.create', 'gen_ai.system', 'anthropic'],
  ])('of %s is kept with its attributes', async (service, scope, name, key, value) => {
    const [record, ...others] = await recordsOf(
      'traces',
      spanOf(service, scope, name, [attribute(key, value)]),
    );
    expect(others).toEqual([]);
    expect(record).toMatchObject({
      source: 'otel',
      facts: { source_event: name, occurred_at: '2026-03-02T09:00:00.000Z', duration_ms: 250 },
    });
    expect(JSON.stringify(record!.content)).toContain(`"${key}":"${value}"`);
    expect(JSON.stringify(record!.content)).toContain(service);
  });

  const decision = [
    attribute('event.name', 'tool_decision'),
    attribute('session.id', 's-cowork'),
    attribute('tool_use_id', 'toolu_1'),
    attribute('tool_name', 'Bash'),
    attribute('decision', 'reject'),
    attribute('source', 'user_reject'),
  ];

  it("of Cowork on a desktop is read as Claude Code's where it has its scope", async () => {
    const body = logOf('claude-code-desktop', 'com.anthropic.claude_code.events', decision);
    expect(await recordsOf('logs', body)).toMatchObject([
      {
        type: 'tool.decided',
        facts: {
          session_id: 's-cowork',
          tool_use_id: 'toolu_1',
          decision: 'reject',
          decision_source: 'user_reject',
        },
        person: { claimed_user: 'ada@example.com' },
      },
    ]);
  });

  it('of a desktop is kept as observed under a scope that is not known', async () => {
    const [record] = await recordsOf('logs', logOf('claude-code-desktop', 'com.example.cowork', decision));
    expect(record).toMatchObject({ type: 'event.observed', facts: { source_event: 'tool_decision' } });
    expect(JSON.stringify(record!.content)).toContain('"decision":"reject"');
  });
});
