import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sealZip, writeZip, ZIP_COMMENT_PREFIX, type ZipEntry } from '../../../reports/package/zip.ts';
import { openContainer } from '../../../store/verify/container.ts';
import { createFindings } from '../../../store/verify/report.ts';

describe('the container of a package', () => {
  let dir: string;
  let entries: ZipEntry[];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-zip-'));
    await mkdir(join(dir, 'in'));
    entries = await Promise.all(
      ['b.txt', 'a/ä.csv', 'c.json', 'empty'].map(async (path, position) => {
        const file = join(dir, 'in', String(position));
        await writeFile(file, path === 'empty' ? '' : `${path} `.repeat(50 * (position + 1)));
        return { path, file };
      }),
    );
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function contentsOf(path: string): Promise<Record<string, string>> {
    const container = (await openContainer(path, createFindings()))!;
    const contents: Record<string, string> = {};
    for (const name of container.files.keys()) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of container.read(name)) chunks.push(chunk);
      contents[name] = Buffer.concat(chunks).toString();
    }
    container.close();
    return contents;
  }

  it('holds the files and has the same bytes each time, whatever the order they are given in', async () => {
    await writeZip(join(dir, '1.zip'), entries);
    await writeZip(join(dir, '2.zip'), [...entries].reverse());
    const bytes = await readFile(join(dir, '1.zip'));
    expect(bytes.equals(await readFile(join(dir, '2.zip')))).toBe(true);
    expect(await contentsOf(join(dir, '1.zip'))).toEqual({
      'a/ä.csv': 'a/ä.csv '.repeat(100),
      'b.txt': 'b.txt '.repeat(50),
      'c.json': 'c.json '.repeat(150),
      empty: '',
    });
  });

  it('ends in a comment with the digest of all bytes before the length of the comment', async () => {
    await writeZip(join(dir, '3.zip'), entries);
    const bytes = await readFile(join(dir, '3.zip'));
    const comment = bytes.subarray(-(ZIP_COMMENT_PREFIX.length + 64)).toString();
    const covered = bytes.subarray(0, -(comment.length + 2));
    expect(comment).toBe(`${ZIP_COMMENT_PREFIX}${createHash('sha256').update(covered).digest('hex')}`);
    expect(bytes.readUInt16LE(covered.length)).toBe(comment.length);
  });

  it('is found damaged by the verifier after a flip of any one byte', async () => {
    await writeZip(join(dir, '4.zip'), entries);
    const bytes = await readFile(join(dir, '4.zip'));
    const path = join(dir, 'flipped.zip');
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      await writeFile(path, flipped);
      const findings = createFindings();
      const container = await openContainer(path, findings);
      container?.close();
      expect(findings.failures(), `byte ${at}`).not.toEqual([]);
    }
  });

  it('streams a large file and is still read by the verifier', async () => {
    const file = join(dir, 'in', 'large');
    const line = `${'x'.repeat(1023)}\n`;
    await writeFile(file, line.repeat(33 * 1024));
    await writeZip(join(dir, '5.zip'), [{ path: 'large.csv', file }, ...entries]);
    const contents = await contentsOf(join(dir, '5.zip'));
    expect(contents['large.csv']).toHaveLength(33 * 1024 * 1024);
    expect(Object.keys(contents)).toHaveLength(5);
  });

  it('replaces nothing that is there', async () => {
    await writeFile(join(dir, 'there.zip'), 'something');
    await expect(writeZip(join(dir, 'there.zip'), entries)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readFile(join(dir, 'there.zip'), 'utf8')).toBe('something');
  });

  it('rejects when a file is missing', async () => {
    const missing = { path: 'x', file: join(dir, 'in', 'missing') };
    await expect(writeZip(join(dir, '6.zip'), [...entries, missing])).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('seals only what has no comment yet', async () => {
    await writeZip(join(dir, '7.zip'), entries);
    await expect(sealZip(join(dir, '7.zip'))).rejects.toThrow(RangeError);
  });
});
