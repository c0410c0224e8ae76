import type { Recording, RecordedRequest } from '../../commands/recordings.ts';

/**
 * The recording as another session of the same shape: session and tool use ids are replaced by others of the same
 * length, so that JSON and protobuf bodies stay whole. `variant` is below 4096.
 */
export function asVariant(
  recording: Recording,
  variant: number,
): { recording: Recording; session_id: string } {
  const mark = variant.toString(16).padStart(3, '0');
  const session_id = sessionOf(recording);
  const renamed = new Map([[session_id, `${mark}${session_id.slice(3)}`]]);
  const truth = new Map<
    string,
    Recording['truth'] extends ReadonlyMap<string, infer Outcome> ? Outcome : never
  >();
  for (const [id, outcome] of recording.truth) {
    const other = `${id.slice(0, -3)}${mark}`;
    renamed.set(id, other);
    truth.set(other, outcome);
  }
  const requests = recording.requests.map((request) => ({ ...request, body: replaceIds(request, renamed) }));
  return { recording: { ...recording, requests, truth }, session_id: renamed.get(session_id)! };
}

export function sessionOf({ requests }: Recording): string {
  const hook = requests.find(({ path }) => path.includes('hooks'))!;
  return (JSON.parse(new TextDecoder().decode(hook.body)) as { session_id: string }).session_id;
}

function replaceIds(
  { body }: RecordedRequest,
  renamed: ReadonlyMap<string, string>,
): Uint8Array<ArrayBuffer> {
  let text = Buffer.from(body).toString('latin1');
  for (const [from, to] of renamed) text = text.replaceAll(from, to);
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** Fisher-Yates with a small seeded generator, so that a failing order can be had again. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  let state = seed;
  for (let last = result.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const pick = state % (last + 1);
    [result[last], result[pick]] = [result[pick]!, result[last]!];
  }
  return result;
}
