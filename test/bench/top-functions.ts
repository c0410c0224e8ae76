/** Prints where a CPU profile's time went: `node --import tsx test/bench/top-functions.ts FILE.cpuprofile [COUNT]`. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: Frame;
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface Share {
  readonly name: string;
  /** Spent in the function itself. */
  selfMs: number;
  /** Spent in it and in what it called, counted once where it calls itself. */
  totalMs: number;
}

const IDLE = '(idle)';

function sharesOf(profile: Profile): Share[] {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const selfOfNode = new Map<number, number>();
  profile.samples.forEach((id, position) => {
    selfOfNode.set(id, (selfOfNode.get(id) ?? 0) + (profile.timeDeltas[position] ?? 0) / 1000);
  });
  const shares = new Map<string, Share>();
  const walk = (id: number, above: ReadonlySet<string>): number => {
    const node = byId.get(id)!;
    const name = nameOf(node.callFrame);
    const share = shares.get(name) ?? { name, selfMs: 0, totalMs: 0 };
    shares.set(name, share);
    const selfMs = selfOfNode.get(id) ?? 0;
    const path = new Set(above).add(name);
    const totalMs = (node.children ?? []).reduce((sum, child) => sum + walk(child, path), selfMs);
    share.selfMs += selfMs;
    if (!above.has(name)) share.totalMs += totalMs;
    return totalMs;
  };
  walk(profile.nodes[0]!.id, new Set());
  return [...shares.values()].filter(({ name }) => name !== IDLE && name !== '(root)');
}

function nameOf({ functionName, url, lineNumber }: Frame): string {
  const name = functionName === '' ? 'anonymous' : functionName;
  return url === '' ? name : `${name} (${basename(url)}:${lineNumber + 1})`;
}

function printTop(shares: readonly Share[], by: 'selfMs' | 'totalMs', count: number): void {
  const busyMs = shares.reduce((sum, { selfMs }) => sum + selfMs, 0);
  process.stdout.write(`${by}, of ${Math.round(busyMs)} ms busy\n`);
  for (const share of shares.toSorted((a, b) => b[by] - a[by]).slice(0, count)) {
    const percent = ((share[by] / busyMs) * 100).toFixed(1).padStart(5);
    process.stdout.write(`${percent} %  ${String(Math.round(share[by])).padStart(7)} ms  ${share.name}\n`);
  }
}

const [, , file, count = '30'] = process.argv;
if (file === undefined) throw new Error('name a .cpuprofile file');
const shares = sharesOf(JSON.parse(await readFile(file, 'utf8')) as Profile);
printTop(shares, 'selfMs', Number(count));
printTop(shares, 'totalMs', Number(count));
