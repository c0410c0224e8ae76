import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadRecordings } from '../../../commands/recordings.ts';
import type { SimulationOptions } from '../../../connectors/simulation/plan.ts';
import {
  simulate,
  type SimulatedRequest,
  type SimulatedSession,
} from '../../../connectors/simulation/simulate.ts';
import type { DraftRecord } from '../../../connectors/drafts/source.ts';
import type { EnvelopeSource } from '../../../connectors/sources/index.ts';
import { envelope, expandEnvelope } from '../sources/recorded.ts';

const DAY_MS = 86_400_000;
const startMs = Date.parse('2026-01-05T00:00:00Z');
/** Transcripts and gateways are not replayed. */
const recordings = (await loadRecordings()).map((recording) => ({
  ...recording,
  requests: recording.requests.filter(({ path }) => !/\/(?:transcripts|gateways)\//.test(path)),
}));

const run = (over: Partial<SimulationOptions> = {}): SimulatedSession[] => [
  ...simulate(recordings, {
    ...{ seed: 's', users: 6, days: 2, startMs, denials: 0.3, incidents: 0.3 },
    ...over,
  }),
];
const requestsOf = (sessions: readonly SimulatedSession[]) =>
  sessions.flatMap((session) => [...session.requests()]);
const textOf = ({ body }: { body: Uint8Array }) => Buffer.from(body).toString('latin1');

function draftsOf({ path, contentType, body }: SimulatedRequest): DraftRecord[] {
  const source = path.includes('hooks') ? 'claude-code-hook' : (`otlp-${path.slice(4)}` as EnvelopeSource);
  const content_type = contentType as 'application/json';
  return expandEnvelope(envelope(source, body, { content_type })).map((expanded) => {
    if (expanded.kind === 'quarantined') throw new Error(expanded.item.reason);
    return expanded.draft;
  });
}

/** Every identifier of the recorded bodies, found without what is under test. */
function recordedIdentifiers(): string[] {
  const texts = recordings.flatMap(({ requests }) => requests.map(textOf));
  const patterns = [
    /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g,
    /(?<=user\.id[^0-9a-f]{5,40})[0-9a-f]{64}/g,
    /(?<="agent_id":")[0-9a-f]+/g,
    /(?<="(?:git_commit_id\\":\\"|stringValue":"))[0-9a-f]{40}(?=\\?")/g,
  ];
  const found = texts.flatMap((text) => patterns.flatMap((pattern) => text.match(pattern) ?? []));
  return [...new Set([...found, ...recordings.flatMap(({ truth }) => [...truth.keys()])])];
}

const digest = (sessions: readonly SimulatedSession[]) => {
  const hash = createHash('sha256');
  for (const { path, contentType, body, atMs } of requestsOf(sessions)) {
    hash.update(`${path} ${contentType} ${atMs} ${body.length}\n`).update(body);
  }
  return hash.digest('hex');
};

describe('a simulation', () => {
  it('has the same bytes for the same seed, and others for another', () => {
    expect(digest(run())).toBe(digest(run()));
    expect(digest(run({ seed: 't' }))).not.toBe(digest(run()));
  });

  it('keeps no identifier, no person and no time of the recordings', () => {
    const texts = requestsOf(run({ users: 10 })).map(textOf);
    const identifiers = recordedIdentifiers();
    expect(identifiers.length).toBeGreaterThan(60);
    expect(new Set(run({ users: 10 }).map(({ recording }) => recording)).size).toBe(recordings.length);
    const all = texts.join('\n');
    expect(identifiers.filter((identifier) => all.includes(identifier))).toEqual([]);
    expect(all).not.toMatch(/alice|2026-11-21|"17952[0-9]{14}"|\breq_[0-9]{1,3}\b/);
  });

  it('gives every session new identifiers, and every person one install', () => {
    const sessions = run({ users: 10 });
    const owners = new Map<string, Set<number>>();
    const installs = new Map<string, Set<string>>();
    sessions.forEach((session, index) => {
      for (const { facts } of [...session.requests()].flatMap(draftsOf)) {
        const { session_id, prompt_id, tool_use_id, message_id, request_id, agent_id } = facts;
        for (const id of [session_id, prompt_id, tool_use_id, message_id, request_id, agent_id]) {
          if (id !== undefined) owners.set(id, (owners.get(id) ?? new Set()).add(index));
        }
        const { install_id, claimed_user } = facts;
        if (install_id === undefined) continue;
        expect(claimed_user).toBe(`${session.person}@example.com`);
        installs.set(session.person, (installs.get(session.person) ?? new Set()).add(install_id));
      }
    });
    expect(owners.size).toBeGreaterThan(sessions.length * 8);
    expect([...owners].filter(([, sharers]) => sharers.size > 1)).toEqual([]);
    expect(installs.size).toBe(10);
    expect(new Set([...installs.values()].flatMap((ids) => [...ids])).size).toBe(10);
  });

  it('shares no identifier with a simulation of another seed', () => {
    const ids = (seed: string) => new Set(run({ seed }).flatMap((session) => [...session.truth().keys()]));
    const [a, b] = [ids('a'), ids('b')];
    expect(a.size).toBeGreaterThan(50);
    expect([...a].filter((id) => b.has(id))).toEqual([]);
  });

  it('marks every record as synthetic and tells how many records a request is', () => {
    for (const request of requestsOf(run())) {
      const drafts = draftsOf(request);
      expect(drafts.length).toBe(request.records);
      expect(drafts.every(({ facts }) => facts.synthetic === true)).toBe(true);
    }
  });

  it('has all that was recorded, in the same encodings', () => {
    const shape = ({ path, contentType, body }: { path: string; contentType: string; body: Uint8Array }) =>
      `${path} ${contentType} ${/hook_event_name":"\w+/.exec(textOf({ body }))?.[0] ?? ''}`;
    for (const session of run()) {
      const recorded = recordings.find(({ name }) => name === session.recording)!;
      expect([...session.requests()].map(shape)).toEqual(recorded.requests.map(shape));
    }
  });

  it('shifts all times of a session alike, into its day', () => {
    const timesOf = (requests: Iterable<SimulatedRequest>) =>
      [...requests].flatMap(draftsOf).flatMap(({ facts: { occurred_at } }) => occurred_at ?? []);
    for (const session of run()) {
      const recorded = recordings.find(({ name }) => name === session.recording)!;
      const before = timesOf(recorded.requests.map((request) => ({ ...request, atMs: 0, records: 0 })));
      const after = timesOf(session.requests());
      const shifts = after.map((instant, index) => Date.parse(instant) - Date.parse(before[index]!));
      expect(new Set(shifts).size).toBe(1);
      expect(Math.min(...after.map((instant) => Date.parse(instant)))).toBe(session.startMs);
      const arrivals = [...session.requests()].map(({ atMs }) => atMs);
      expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b));
      expect(arrivals[0]).toBeGreaterThanOrEqual(session.startMs);
    }
  });

  it('has each person begin one to three sessions on each day, in order of time', () => {
    const sessions = run({ users: 20, days: 3 });
    const starts = sessions.map((session) => session.startMs);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    const counts = new Map<string, number>();
    for (const session of sessions) {
      const key = `${session.person} ${Math.floor((session.startMs - startMs) / DAY_MS)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(60);
    expect(new Set(counts.values())).toEqual(new Set([1, 2, 3]));
  });

  it('has the shares of denials and incidents that were asked for', () => {
    const kinds = (denials: number, incidents: number) =>
      run({ users: 300, days: 2, denials, incidents }).map(({ kind }) => kind);
    expect(new Set(kinds(1, 0))).toEqual(new Set(['denied']));
    expect(new Set(kinds(0, 1))).toEqual(new Set(['incident']));
    expect(new Set(kinds(0, 0))).toEqual(new Set(['ordinary']));
    const mixed = kinds(0.2, 0.1);
    const share = (wanted: string) => mixed.filter((kind) => kind === wanted).length / mixed.length;
    expect(Math.abs(share('denied') - 0.2)).toBeLessThan(0.03);
    expect(Math.abs(share('incident') - 0.1)).toBeLessThan(0.03);
  });

  it('makes requests as they are asked for, however many people there are', () => {
    const sessions = simulate(recordings, {
      ...{ seed: 's', users: 1000, days: 36_500, startMs, denials: 0, incidents: 0 },
    });
    expect(sessions.next().value).toHaveProperty('person');
    sessions.return(undefined);
  });
});
