import { describe, expect, it } from 'vitest';
import { createReadAhead } from '../../../../store/archive/s3/read-ahead.ts';

const MIB = 1024 * 1024;

function open(keys: readonly string[], sizeBytes = 1) {
  const asked: string[] = [];
  const broken = new Set<string>();
  const ahead = createReadAhead((key, versionId) => {
    asked.push(key);
    return broken.has(key) ? Promise.reject(new Error(key)) : Promise.resolve(`${key} ${versionId}`);
  });
  for (const key of keys) ahead.add(key, { versionId: 'v', sizeBytes, lastModifiedMs: 0 });
  return { ahead, asked, broken };
}

describe('reading ahead', () => {
  it('fetches the next four of a folder, and each object once', async () => {
    const { ahead, asked } = open(['a/1', 'a/2', 'a/3', 'a/4', 'a/5', 'a/6', 'b/1', 'b/2']);
    expect(await ahead.read('a/1')).toBe('a/1 v');
    expect(asked).toEqual(['a/1', 'a/2', 'a/3', 'a/4', 'a/5']);
    expect(await ahead.read('b/1')).toBe('b/1 v');
    expect(asked.slice(5)).toEqual(['b/1', 'b/2']);
    expect(await ahead.read('a/2')).toBe('a/2 v');
    expect(asked.slice(7)).toEqual(['a/6']);
  });

  it('holds no more than 32 MiB that nobody has read, and reads what is larger all the same', async () => {
    const { ahead, asked } = open(['a/1', 'a/2', 'a/3', 'a/4', 'a/5'], 12 * MIB);
    await ahead.read('a/1');
    expect(asked).toEqual(['a/1', 'a/2', 'a/3']);
    await ahead.read('a/2');
    expect(asked).toEqual(['a/1', 'a/2', 'a/3', 'a/4']);
    const large = open(['a/1', 'a/2'], 33 * MIB);
    await large.ahead.read('a/1');
    expect(large.asked).toEqual(['a/1']);
    expect(await large.ahead.read('a/2')).toBe('a/2 v');
  });

  it('gives a failure to whoever reads that object, and fetches it again for whoever asks again', async () => {
    const { ahead, broken } = open(['a/1', 'a/2']);
    broken.add('a/2');
    await ahead.read('a/1');
    await expect(ahead.read('a/2')).rejects.toThrow('a/2');
    broken.clear();
    expect(await ahead.read('a/2')).toBe('a/2 v');
  });

  it('knows no object of a key that was not added', async () => {
    expect(await open([]).ahead.read('a/1')).toBeUndefined();
  });
});
