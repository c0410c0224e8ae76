import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { FRAME_DICTIONARY, FRAME_DICTIONARY_SHA256 } from '../../../store/chain/frame-dictionary.ts';

it('strangers find the dictionary among the documents', async () => {
  const published = await readFile(
    resolve(import.meta.dirname, '../../../docs/formats/frame-dictionary.txt'),
  );
  expect(published.equals(FRAME_DICTIONARY)).toBe(true);
});

it('the dictionary is the one that every log of this format names', () => {
  expect(FRAME_DICTIONARY_SHA256).toBe('bda2129470b251e52843b97682d2c193817684e74ac553ade4df4e16f0e45e3a');
  // DEFLATE looks back 32,768 bytes at most.
  expect(FRAME_DICTIONARY.length).toBeLessThan(32_768);
});
