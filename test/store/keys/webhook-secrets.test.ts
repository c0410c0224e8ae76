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
  it('are none where neither a file nor the configuration has one', async () => {
    expect(await readWebhookSecrets(join(folder.path, 'absent'), undefined)).toEqual({
      github: [],
      gitlab: [],
      anthropic: [],
    });
  });

  it('are those of the file and of the configuration together', async () => {
    const kept = {
      github: ['github-secret-in-file'],
      gitlab: ['gitlab-token-in-file'],
      anthropic: [STANDARD],
    };
    await writeFile(path, JSON.stringify(kept));
    const configured = `github:github-secret-given:1 gitlab:gitlab-token-given anthropic:${STANDARD}`;
    expect(await readWebhookSecrets(path, configured)).toEqual({
      github: ['github-secret-in-file', 'github-secret-given:1'],
      gitlab: ['gitlab-token-in-file', 'gitlab-token-given'],
      anthropic: [STANDARD, STANDARD],
    });
  });

  it('are refused where one is short', async () => {
    await writeFile(path, '{"github":["short"]}');
    await expect(readWebhookSecrets(path, undefined)).rejects.toMatchObject({ code: 'START_REFUSED' });
    const given = readWebhookSecrets(join(folder.path, 'absent'), 'gitlab:canary-short');
    await expect(given).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(given).rejects.not.toThrow('canary');
  });

  it('of Anthropic are refused where they are not spelt as it gives them out', async () => {
    const misspelt = 'canary-without-its-prefix';
    await writeFile(path, JSON.stringify({ anthropic: [misspelt] }));
    await expect(readWebhookSecrets(path, undefined)).rejects.toMatchObject({ code: 'START_REFUSED' });
    const given = readWebhookSecrets(join(folder.path, 'absent'), `anthropic:${misspelt}`);
    await expect(given).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(given).rejects.not.toThrow('canary');
  });

  it.each(['["a"]', '{"github":"one"}', '{"gitea":["one-of-another-forge"]}', '{"github":["canary'])(
    'are refused in a file that reads %s, without a word of what stands there',
    async (text) => {
      await writeFile(path, text);
      const read = readWebhookSecrets(path, undefined);
      await expect(read).rejects.toMatchObject({ code: 'START_REFUSED' });
      await expect(read).rejects.not.toThrow('canary');
    },
  );
});
