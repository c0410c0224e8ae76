import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWebhookSecrets } from '../../../store/keys/webhook-secrets.ts';
import { makeTempDir } from '../../support/server.ts';

const STANDARD = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
let folder: Awaited<ReturnType<typeof makeTempDir>>;
let path: string;
beforeAll(async () => {
  folder = await makeTempDir();
  path = join(folder.path, 'webhook-secrets.json');
});
afterAll(() => folder.remove());

describe('secrets of webhooks', () => {
  it('are none where there is no file', async () => {
    expect(await readWebhookSecrets(join(folder.path, 'absent'))).toEqual({});
  });

  it('are those of the file', async () => {
    const kept = {
      github: ['github-secret-in-file', 'github-secret-that-replaces-it'],
      gitlab: ['gitlab-token-in-file'],
      anthropic: [STANDARD],
    };
    await writeFile(path, JSON.stringify(kept));
    expect(await readWebhookSecrets(path)).toEqual(kept);
  });

  it.each([
    ['short', '{"github":["canary-short"]}'],
    ['not spelt as Anthropic gives them out', '{"anthropic":["canary-without-its-prefix"]}'],
  ])('are refused where one is %s', async (_, text) => {
    await writeFile(path, text);
    const read = readWebhookSecrets(path);
    await expect(read).rejects.toMatchObject({ code: 'START_REFUSED' });
    await expect(read).rejects.not.toThrow('canary');
  });

  it.each(['["a"]', '{"github":"one"}', '{"gitea":["one-of-another-forge"]}', '{"github":["canary'])(
    'are refused in a file that reads %s, without a word of what stands there',
    async (text) => {
      await writeFile(path, text);
      const read = readWebhookSecrets(path);
      await expect(read).rejects.toMatchObject({ code: 'START_REFUSED' });
      await expect(read).rejects.not.toThrow('canary');
    },
  );
});
