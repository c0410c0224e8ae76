/** Credentials that a receiver replaces before anything of a body is stored. Closed; docs/formats/classification.md. */
export const SECRET_TYPES = [
  'aws_access_key_id',
  'aws_secret_access_key',
  'github_token',
  'gitlab_token',
  'slack_token',
  'slack_webhook',
  'stripe_key',
  'anthropic_key',
  'openai_key',
  'google_api_key',
  'gcp_private_key',
  'npm_token',
  'pypi_token',
  'sendgrid_key',
  'twilio_key',
  'azure_storage_key',
  'jwt',
  'private_key',
  'url_password',
  'authorization',
  'labelled_secret',
] as const;
export type SecretType = (typeof SECRET_TYPES)[number];

/** Data about people, which is labelled before sealing and not replaced. Closed; docs/formats/classification.md. */
export const PERSONAL_TYPES = [
  'payment_card',
  'us_ssn',
  'medical_record_number',
  'iban',
  'email',
  'phone',
  'postal_address',
  'person_name',
  'date_of_birth',
] as const;
export type PersonalType = (typeof PERSONAL_TYPES)[number];

/** One kind of data that a record holds. */
export type DataClass = SecretType | PersonalType;
export const DATA_CLASSES: readonly DataClass[] = [...SECRET_TYPES, ...PERSONAL_TYPES];
