import { Type, type Static } from 'typebox';
import { PipelineError } from '../../schemas/errors.ts';
import { compileValidator } from '../../schemas/validate.ts';
import { readSecretFile } from './secret-file.ts';

/** From one delivery an attacker can find a shorter secret by trying. */
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

/** Secrets by platform. All secrets of one platform are valid at once, so that a new one can replace an old one. */
export type WebhookSecretEntries = Readonly<Static<typeof WebhookSecretFile>>;

const check = compileValidator(WebhookSecretFile);

/** The secrets of the file; none if it is missing. Throws START_REFUSED for a file of another shape. */
export async function readWebhookSecrets(path: string): Promise<WebhookSecretEntries> {
  const bytes = await readSecretFile(path);
  if (bytes === undefined) return {};
  const secrets = parse(bytes.toString('utf8'));
  if (secrets !== undefined) return secrets;
  // The error has no cause, because a cause may quote the text, which holds secrets.
  throw new PipelineError(
    'START_REFUSED',
    `${path} is not {"github": [SECRET, …], "gitlab": [TOKEN, …], "anthropic": ["whsec_…", …]} with secrets of ${String(MIN_SECRET_LENGTH)} characters or more`,
  );
}

function parse(text: string): WebhookSecretEntries | undefined {
  try {
    const checked = check(JSON.parse(text));
    return checked.ok ? checked.value : undefined;
  } catch {
    return undefined;
  }
}
