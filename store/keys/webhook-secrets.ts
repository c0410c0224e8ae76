import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { PipelineError } from '../../schemas/errors.ts';
import { readSecretFile } from './secret-file.ts';

/** Shorter ones can be found by trying, from one delivery that somebody has seen. */
const MIN_SECRET_LENGTH = 16;

const Secrets = Type.Array(Type.String({ minLength: MIN_SECRET_LENGTH }));
const WebhookSecretFile = Type.Object(
  { github: Type.Optional(Secrets), gitlab: Type.Optional(Secrets) },
  { additionalProperties: false },
);

/** Secrets by forge; all of a forge are valid at once, so that a new one can be in force before the old one goes. */
export type WebhookSecretEntries = Readonly<Static<typeof WebhookSecretFile>>;

/**
 * Those of the file, if there is one, and those of the configuration, written `github:SECRET gitlab:TOKEN`. Throws
 * CONFIG_INVALID for one that is too short, START_REFUSED for a file of another shape.
 */
export async function readWebhookSecrets(
  path: string,
  configured: string | undefined,
): Promise<WebhookSecretEntries> {
  const kept = await readFileOf(path);
  const given = parseConfigured(configured);
  return {
    github: [...(kept.github ?? []), ...given.github],
    gitlab: [...(kept.gitlab ?? []), ...given.gitlab],
  };
}

async function readFileOf(path: string): Promise<WebhookSecretEntries> {
  const bytes = await readSecretFile(path);
  if (bytes === undefined) return {};
  try {
    return Value.Parse(WebhookSecretFile, JSON.parse(bytes.toString('utf8')));
  } catch {
    // Without its cause: what does not parse is quoted there, and it is secrets.
    throw new PipelineError(
      'START_REFUSED',
      `${path} is not {"github": [SECRET, …], "gitlab": [TOKEN, …]} with secrets of ${String(MIN_SECRET_LENGTH)} characters or more`,
    );
  }
}

function parseConfigured(configured = ''): { readonly github: string[]; readonly gitlab: string[] } {
  const found = { github: [] as string[], gitlab: [] as string[] };
  for (const entry of configured.split(' ').filter((text) => text !== '')) {
    const forge = entry.startsWith('github:') ? 'github' : 'gitlab';
    const secret = entry.slice('github:'.length);
    if (secret.length < MIN_SECRET_LENGTH) {
      throw new PipelineError(
        'CONFIG_INVALID',
        `a secret for webhooks of ${forge} is shorter than ${String(MIN_SECRET_LENGTH)} characters`,
      );
    }
    found[forge].push(secret);
  }
  return found;
}
