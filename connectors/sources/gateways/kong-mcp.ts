/** The `ai.mcp` part of Kong's log lines: calls of tools through the gateway, and what its access lists decided. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import { countAt, objectAt, textAt, valueAt, type PossibleFacts } from '../../drafts/nested.ts';
import type { GatewayEvent } from './observed.ts';

export interface McpEntry extends GatewayEvent {
  /** The part of the line that distinguishes this event from the others. */
  readonly item: JsonObject;
}

/**
 * The documents show a list, and examples show lists of calls and of decisions in it. Each entry of each list is an
 * event.
 */
export function readMcpEntries(value: JsonObject, common: PossibleFacts): McpEntry[] {
  const mcp = valueAt(value, 'ai', 'mcp');
  const parts = Array.isArray(mcp) ? (mcp as readonly JsonValue[]) : mcp === undefined ? [] : [mcp];
  return parts.flatMap((part, place) => {
    const session = textAt(part, 'mcp_session_id');
    const server = textAt(part, 'server') ?? textAt(part, 'server_name') ?? textAt(value, 'service', 'name');
    const facts = { ...common, mcp_server: server, ...(session === undefined ? {} : { trace_id: session }) };
    const calls = listAt(part, 'rpc');
    const decisions = [...listAt(part, 'audit'), ...listAt(part, 'audits')];
    const key = { request: common.request_id ?? '', place };
    if (calls.length + decisions.length === 0) return [toEntry(part, facts, { ...key, entry: part })];
    return [
      ...calls.map((entry, index) => toEntry(entry, facts, { ...key, index, entry })),
      ...decisions.map((entry, index) => toDecision(entry, facts, { ...key, index, decision: entry })),
    ];
  });
}

function listAt(part: JsonValue, name: string): readonly JsonValue[] {
  const list = valueAt(part, name);
  return Array.isArray(list) ? (list as readonly JsonValue[]) : [];
}

function toEntry(entry: JsonValue, facts: PossibleFacts, item: JsonObject): McpEntry {
  if (textAt(entry, 'action') !== undefined) return toDecision(entry, facts, item);
  const method = textAt(entry, 'method') ?? 'unnamed';
  const request = parsedText(valueAt(entry, 'payload', 'request'));
  const response = parsedText(valueAt(entry, 'payload', 'response'));
  const error = textAt(entry, 'error') ?? textAt(response, 'error', 'code');
  // A successful transport may carry a failed call of a tool.
  const hasFailed = error !== undefined || valueAt(response, 'result', 'isError') === true;
  const own = {
    ...facts,
    duration_ms: countAt(entry, 'latency'),
    success: !hasFailed,
    error_type: error !== undefined && error.length <= 64 ? error : undefined,
  };
  if (method !== 'tools/call') {
    return { type: 'event.observed', event: `mcp.${method}`, facts: own, content: { entry }, item };
  }
  return {
    type: hasFailed ? 'tool.failed' : 'tool.completed',
    event: `mcp.${method}`,
    facts: { ...own, tool_name: textAt(entry, 'tool_name') ?? textAt(request, 'params', 'name') },
    content: {
      entry,
      ...toPart('tool_input', valueAt(request, 'params', 'arguments')),
      ...toPart('tool_response', valueAt(response, 'result', 'content')),
    },
    item,
  };
}

function toPart(name: string, value: JsonValue | undefined): JsonObject {
  return value === undefined ? {} : { [name]: value };
}

function toDecision(entry: JsonValue, facts: PossibleFacts, item: JsonObject): McpEntry {
  const action = textAt(entry, 'action');
  const isDenied = action === 'deny' || action === 'denied';
  const consumer = textAt(objectAt(entry, 'consumer'), 'name') ?? textAt(entry, 'consumer');
  const person = facts.claimed_user === undefined && consumer !== undefined;
  return {
    type: 'tool.decided',
    event: 'mcp.audit',
    facts: {
      ...facts,
      ...(person ? { claimed_user: consumer, claimed_user_source: 'ai.mcp.audit.consumer' } : {}),
      tool_name: textAt(entry, 'primitive_name') ?? textAt(entry, 'tool_name'),
      decision: action,
      decision_source: 'acl',
      policy_outcome: isDenied ? 'block' : action === 'allow' ? 'allow' : undefined,
      // The status belongs to the whole request, which may hold several decisions.
      success: undefined,
      error_type: undefined,
    },
    content: isJsonObject(entry) ? entry : { entry },
    item,
  };
}
