import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { PipelineError } from '../../schemas/errors.ts';
import { readSecretFile } from './secret-file.ts';

/** Shorter ones can be found by trying, from one delivery that somebody has seen. */
const MIN_SECRET_LENGTH = 16;

const Secrets = Type.Array(Type.String({ minLength: MIN_SECRET_LENGTH }));
/** As Anthropic gives them out: the key is what the base64 says, and a misspelt one would fit nothing. */
const STANDARD_SECRET = /^whsec_[A-Za-z0-9+/]{16,256}={0,2}$/;
const WebhookSecretFile = Type.Object(
  {
    github: Type.Optional(Secrets),
    gitlab: Type.Optional(Secrets),
    anthropic: Type.Optional(Type.Array(Type.String({ pattern: STANDARD_SECRET.source }))),
  },
  { additionalProperties: false },
);

/** Secrets by platform; all of one are valid at once, so that a new one can be in force before the old one goes. */
export type WebhookSecretEntries = Readonly<Static<typeof WebhookSecretFile>>;

const PLATFORMS = [
  'github',
  'gitlab',
  'anthropic',
] as const satisfies readonly (keyof WebhookSecretEntries)[];
type Platform = (typeof PLATFORMS)[number];

/**
 * Those of the file, if there is one, and those of the configuration, written `github:SECRET gitlab:TOKEN`. Throws
 * CONFIG_INVALID for one that is too short or none, START_REFUSED for a file of another shape.
 */
export async function readWebhookSecrets(
  path: string,
  configured: string | undefined,
): Promise<WebhookSecretEntries> {
  const kept = await readFileOf(path);
  const given = parseConfigured(configured);
  const ofPlatform = (platform: Platform) => [
    ...(kept[platform] ?? []),
    ...given.filter((one) => one.platform === platform).map(({ secret }) => secret),
  ];
  return Object.fromEntries(PLATFORMS.map((platform) => [platform, ofPlatform(platform)]));
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
      `${path} is not {"github": [SECRET, …], "gitlab": [TOKEN, …], "anthropic": ["whsec_…", …]} with secrets of ${String(MIN_SECRET_LENGTH)} characters or more`,
    );
  }
}

function parseConfigured(
  configured = '',
): readonly { readonly platform: Platform; readonly secret: string }[] {
  return configured
    .split(' ')
    .filter((text) => text !== '')
    .map((entry) => {
      const platform = PLATFORMS.find((one) => entry.startsWith(`${one}:`));
      const secret = entry.slice((platform ?? '').length + 1);
      if (platform === undefined || secret.length < MIN_SECRET_LENGTH) {
        throw new PipelineError(
          'CONFIG_INVALID',
          `a secret for webhooks of ${platform ?? 'nobody known'} is shorter than ${String(MIN_SECRET_LENGTH)} characters`,
        );
      }
      if (platform === 'anthropic' && !STANDARD_SECRET.test(secret)) {
        throw new PipelineError(
          'CONFIG_INVALID',
          'a secret for webhooks of anthropic is not whsec_ and base64',
        );
      }
      return { platform, secret };
    });
}
