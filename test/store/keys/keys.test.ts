import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatNote, parseVkey, verifyNote } from '../../../store/chain/note.ts';
import { openFileHeadGuard } from '../../../store/keys/file-head-guard.ts';
import { createSigningKey, openFileSigner } from '../../../store/keys/file-signer.ts';
import { createTokenVerifier, readTokens, toTokenEntry, writeTokens } from '../../../store/keys/tokens.ts';
import { flushedBy } from '../../support/flushed.ts';
import { makeTempDir } from '../../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
const at = (name: string) => join(folder.path, 'keys', name);
beforeEach(async () => {
  folder = await makeTempDir();
});
afterEach(() => folder.remove());

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
const root = (digit: string) => digit.repeat(64);

describe('the file signer', () => {
  it('signs notes that its verifier key accepts, with a key only its owner can read', async () => {
    await createSigningKey(at('key.pem'));
    expect(await modeOf(at('key.pem'))).toBe(0o600);
    const signer = await openFileSigner(at('key.pem'), 'log.example/p0');
    const key = parseVkey(signer.vkey)!;
    const signature = await signer.sign(Buffer.from('text\n'));
    expect(verifyNote(formatNote('text\n', [{ name: key.name, keyId: key.keyId, signature }]), key)).toBe(
      'text\n',
    );
  });

  it('never replaces a key, and refuses what is none', async () => {
    await createSigningKey(at('key.pem'));
    const before = await readFile(at('key.pem'));
    await expect(createSigningKey(at('key.pem'))).rejects.toMatchObject({ code: 'START_REFUSED' });
    expect(await readFile(at('key.pem'))).toEqual(before);
    await expect(openFileSigner(at('absent.pem'), 'x')).rejects.toThrow('missing');
    await chmod(at('key.pem'), 0o600);
    await writeFile(at('key.pem'), 'nonsense');
    await expect(openFileSigner(at('key.pem'), 'x')).rejects.toThrow('PKCS #8');
  });
});

describe('the head guard', () => {
  it('makes no folder where its own was moved away before it remembered a head', async () => {
    const guard = await openFileHeadGuard(at('guard.json'));
    await rename(at(''), join(folder.path, 'moved'));
    await expect(guard.advance('a', { tree_size: 1, root_hash: 'a'.repeat(64) })).rejects.toMatchObject({
      code: 'SIGNER_UNAVAILABLE',
    });
    expect(existsSync(at(''))).toBe(false);
    await rename(join(folder.path, 'moved'), at(''));
    await guard.advance('a', { tree_size: 1, root_hash: 'a'.repeat(64) });
  });

  it('begins no new file where the file that it has read is gone, as with a folder that was moved away', async () => {
    const first = { tree_size: 5, root_hash: root('1') };
    const guard = await openFileHeadGuard(at('guard.json'));
    await guard.advance('a', first);
    for (const open of [guard, await openFileHeadGuard(at('guard.json'))]) {
      expect(await open.latest('a')).toEqual(first);
      await rename(at(''), join(folder.path, 'moved'));
      const next = open.advance('a', { tree_size: 6, root_hash: root('2') });
      await expect(next).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE' });
      await expect(open.latest('a')).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE' });
      await expect(stat(at(''))).rejects.toMatchObject({ code: 'ENOENT' });
      await rename(join(folder.path, 'moved'), at(''));
    }
  });

  it('remembers the largest head over restarts and refuses smaller and different ones', async () => {
    const guard = await openFileHeadGuard(at('guard.json'));
    expect(await guard.latest('a')).toBeUndefined();
    await guard.advance('a', { tree_size: 5, root_hash: root('1') });
    await guard.advance('b', { tree_size: 2, root_hash: root('2') });
    await guard.advance('a', { tree_size: 5, root_hash: root('1') });
    const again = await openFileHeadGuard(at('guard.json'));
    expect(await again.latest('a')).toEqual({ tree_size: 5, root_hash: root('1') });
    await expect(again.advance('a', { tree_size: 4, root_hash: root('3') })).rejects.toMatchObject({
      code: 'SIGNER_REFUSED',
    });
    await expect(again.advance('a', { tree_size: 5, root_hash: root('3') })).rejects.toMatchObject({
      code: 'SIGNER_REFUSED',
    });
    await again.advance('a', { tree_size: 6, root_hash: root('4') });
    expect(await again.latest('b')).toEqual({ tree_size: 2, root_hash: root('2') });
  });

  it.skipIf(process.platform !== 'linux')(
    'flushes the folder again where it finds the head: its writer may have died before that',
    async () => {
      const head = { tree_size: 5, root_hash: root('1') };
      await (await openFileHeadGuard(at('guard.json'))).advance('a', head);
      const again = await openFileHeadGuard(at('guard.json'));
      const flushed = await flushedBy(() => again.advance('a', head));
      expect(flushed).toEqual([await realpath(at(''))]);
    },
  );

  it('refuses to go on from a file that was edited', async () => {
    const guard = await openFileHeadGuard(at('guard.json'));
    await guard.advance('a', { tree_size: 5, root_hash: root('1') });
    await writeFile(at('guard.json'), '{"a":{"tree_size":"5"}}');
    await expect(guard.latest('a')).rejects.toMatchObject({ code: 'START_REFUSED' });
  });
});

describe('the head guard on a disk that takes nothing', () => {
  it('says that it may be tried again, because the old head is still in force', async () => {
    const guard = await openFileHeadGuard(at('guard.json'));
    await guard.advance('a', { tree_size: 5, root_hash: root('1') });
    await mkdir(at('guard.json.tmp'));
    const advancing = guard.advance('a', { tree_size: 6, root_hash: root('2') });
    await expect(advancing).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE', retry: 'later' });
    expect(await guard.latest('a')).toEqual({ tree_size: 5, root_hash: root('1') });
  });
});

describe('tokens', () => {
  const entries = [
    toTokenEntry('root', 'admin', 'admin-token-1'),
    toTokenEntry('laptop', 'collector', 'collector-token-1'),
  ];

  it('are kept as hashes that only the owner can read', async () => {
    await writeTokens(at('tokens.json'), entries);
    expect(await modeOf(at('tokens.json'))).toBe(0o600);
    expect(await readFile(at('tokens.json'), 'utf8')).not.toContain('token-1');
    expect(await readTokens(at('tokens.json'))).toEqual(entries);
    expect(await readTokens(at('absent.json'))).toBeUndefined();
  });

  it('find their principal, and nobody for any other text', () => {
    const verify = createTokenVerifier(entries);
    expect(verify('admin-token-1')).toEqual({ id: 'root', role: 'admin' });
    expect(verify('collector-token-1')).toEqual({ id: 'laptop', role: 'collector' });
    for (const other of ['', 'admin-token-', 'admin-token-11', 'ADMIN-TOKEN-1'])
      expect(verify(other)).toBeUndefined();
  });

  it('that are too short are refused', () => {
    expect(() => toTokenEntry('x', 'admin', 'short')).toThrow('shorter');
  });
});
