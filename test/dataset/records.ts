/** Plausible records from a seed: sessions of tool calls, each a request and a result. */
import { createHash, hash } from 'node:crypto';
import type { AuditRecord } from '../../schemas/record.ts';

const RECORDS_PER_SESSION = 40;
const PEOPLE = 200;
const TOOLS = ['Bash', 'Read', 'Edit', 'Grep', 'Write'] as const;

function datasetId(seed: string, index: number): string {
  return hash('sha256', `${seed} record ${index}`, 'hex');
}

/** The record at an index of the log. It depends on seed and index alone. */
export function datasetRecord(seed: string, index: number, receivedAt: string): AuditRecord {
  const session = Math.floor(index / RECORDS_PER_SESSION);
  const call = Math.floor(index / 2);
  const isRequest = index % 2 === 0;
  const person = session % PEOPLE;
  return {
    id: datasetId(seed, index),
    type: isRequest ? 'tool.requested' : 'tool.completed',
    source: 'hook',
    retention_class: 'content',
    principal: keyedHash(`${seed} collector`).slice(0, 32),
    subject: keyedHash(`${seed} person ${person}`),
    key_owner: keyedHash(`${seed} person ${person}`),
    received_at: receivedAt,
    facts: {
      source_event: isRequest ? 'PreToolUse' : 'PostToolUse',
      occurred_at: receivedAt,
      collector: 'dataset',
      session_id: `session-${session}`,
      tool_use_id: `toolu_${call}`,
      tool_name: TOOLS[call % TOOLS.length] ?? TOOLS[0],
      permission_mode: 'default',
    },
    person: { claimed_user: `person-${person}@example.com` },
    content: isRequest ? { tool_input: { command: `make target-${call}` } } : { tool_response: { code: 0 } },
  };
}

const hashes = new Map<string, string>();

function keyedHash(name: string): string {
  const known = hashes.get(name) ?? hash('sha256', name, 'hex');
  hashes.set(name, known);
  return known;
}

/** Bytes that differ on each call and are the same for each seed. */
export function seededBytes(seed: string): (count: number) => Uint8Array {
  let calls = 0;
  return (count) => {
    calls += 1;
    return createHash('shake256', { outputLength: count }).update(`${seed} ${calls}`).digest();
  };
}
