import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { PipelineError } from '../../schemas/errors.ts';
import { readSecretFile } from './secret-file.ts';

/** From one delivery an attacker can find a shorter secret by trying. */
const MIN_SECRET_LENGTH = 16;

const Secrets = Type.Array(Type.String({ minLength: MIN_SECRET_LENGTH }));
/** The form in which Anthropic issues secrets: the key is the decoded base64. */
const STANDARD_SECRET = /^whsec_[A-Za-z0-9+/]{16,256}={0,2}$/;
const WebhookSecretFile = Type.Object(
  {
    github: Type.Optional(Secrets),
    gitlab: Type.Optional(Secrets),
    anthropic: Type.Optional(Type.Array(Type.String({ pattern: STANDARD_SECRET.source }))),
  },
  { additionalProperties: false },
);

/** Secrets by platform. All secrets of one platform are valid at once, so that a new one can replace an old one. */
export type WebhookSecretEntries = Readonly<Static<typeof WebhookSecretFile>>;

const PLATFORMS = [
  'github',
  'gitlab',
  'anthropic',
] as const satisfies readonly (keyof WebhookSecretEntries)[];
type Platform = (typeof PLATFORMS)[number];

/**
 * The secrets of the file, if it exists, and those of the configuration, written `github:SECRET gitlab:TOKEN`. Throws
 * CONFIG_INVALID for a secret that is malformed or too short, START_REFUSED for a file of another shape.
 */
export async function readWebhookSecrets(
  path: string,
  configured: string | undefined,
): Promise<WebhookSecretEntries> {
  const kept = await readSecretsFile(path);
  const given = parseConfigured(configured);
  const ofPlatform = (platform: Platform) => [
    ...(kept[platform] ?? []),
    ...given.filter((one) => one.platform === platform).map(({ secret }) => secret),
  ];
  return Object.fromEntries(PLATFORMS.map((platform) => [platform, ofPlatform(platform)]));
}

async function readSecretsFile(path: string): Promise<WebhookSecretEntries> {
  const bytes = await readSecretFile(path);
  if (bytes === undefined) return {};
  try {
    return Value.Parse(WebhookSecretFile, JSON.parse(bytes.toString('utf8')));
  } catch {
    // Without its cause, which quotes the text that does not parse: secrets.
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
          `a secret for webhooks of ${platform ?? 'an unknown platform'} is shorter than ${String(MIN_SECRET_LENGTH)} characters`,
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
