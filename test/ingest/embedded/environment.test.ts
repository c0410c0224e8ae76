import { renameSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEnvironment } from '../../../ingest/embedded/environment.ts';
import { PipelineError } from '../../../schemas/errors.ts';

const MAP_BYTES = 1 << 30;

describe('openEnvironment', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-environment-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  it('keeps nothing of a transaction whose action throws, and passes a coded error on', async () => {
    const environment = await openEnvironment(dir, { mapBytes: MAP_BYTES });
    const database = environment.database('d');
    const key = Buffer.from('k');
    const refusal = new PipelineError('LOG_PUSHBACK', 'no');
    const failing = environment.commit(() => {
      void database.put(key, Buffer.from('v'));
      throw refusal;
    });
    const beside = environment.commit(() => void database.put(Buffer.from('other'), Buffer.from('v')));
    await expect(failing).rejects.toBe(refusal);
    await beside;
    environment.refresh();
    expect(database.get(key)).toBeUndefined();
    expect(database.get(Buffer.from('other'))?.toString()).toBe('v');
    await environment.close();
  });

  it('refuses commits while its folder is moved away or replaced, and one during which that happens', async () => {
    const path = join(dir, 'environment');
    const environment = await openEnvironment(path, { mapBytes: MAP_BYTES });
    const database = environment.database('d');
    const put = (key: string) =>
      environment.commit(() => void database.put(Buffer.from(key), Buffer.from('v')));
    await put('before');
    const during = environment.commit(() => {
      void database.put(Buffer.from('during'), Buffer.from('v'));
      renameSync(path, join(dir, 'moved'));
    });
    await expect(during).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect(put('gone')).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    const other = await openEnvironment(path, { mapBytes: MAP_BYTES });
    await expect(put('replaced')).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await other.close();
    await rm(path, { recursive: true });
    renameSync(join(dir, 'moved'), path);
    await put('back');
    environment.refresh();
    const kept = ['before', 'during', 'gone', 'replaced', 'back'].filter(
      (key) => database.get(Buffer.from(key)) !== undefined,
    );
    // The commit that was not acknowledged was applied, as the port allows.
    expect(kept).toEqual(['before', 'during', 'back']);
    await environment.close();
  });

  it('refuses a commit that passes its deadline, and further ones until that one has ended', async () => {
    const environment = await openEnvironment(dir, { mapBytes: MAP_BYTES, commitDeadlineMs: 1 });
    const database = environment.database('d');
    const large = Buffer.alloc(100 * 1024 * 1024, 1);
    const late = { code: 'LOG_UNAVAILABLE' };
    await expect(environment.commit(() => void database.put(Buffer.from('k'), large))).rejects.toMatchObject(
      late,
    );
    const next = environment.commit(() => undefined);
    await expect(next).rejects.toMatchObject({ detail: 'an earlier commit has not finished' });
    await expect
      .poll(() => (environment.refresh(), database.get(Buffer.from('k'))?.length), { timeout: 20_000 })
      .toBe(large.length);
    await environment.close();
  });

  it('refuses commits after it is closed', async () => {
    const environment = await openEnvironment(dir, { mapBytes: MAP_BYTES });
    await environment.close();
    await expect(environment.commit(() => 1)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });

  it('says LOG_UNAVAILABLE when the folder cannot be had', async () => {
    await writeFile(join(dir, 'file'), '');
    const opening = openEnvironment(join(dir, 'file', 'below'), { mapBytes: MAP_BYTES });
    await expect(opening).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });
});
