/** Child process: puts objects into the archive at argv[2], eight at a time, and prints each key when it is durable. */
import { openLocalArchive } from '../../store/archive/local/archive.ts';

const archive = await openLocalArchive({ dir: process.argv[2] ?? '', clock: () => 0 });
const lock = { mode: 'compliance', retain_until: '2033-01-01T00:00:00.000Z' } as const;

async function putEvery(lane: number): Promise<void> {
  for (let index = lane; ; index += 8) {
    const key = `k/${String(index).padStart(6, '0')}`;
    await archive.put(key, Buffer.alloc(5000, `${String(process.pid)}-${key}`), lock);
    process.stdout.write(`${key}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, lane) => putEvery(lane)));
