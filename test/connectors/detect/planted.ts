/**
 * Planted strings and harmless look-alikes. The part to be found is between « and ». Secrets are put together when
 * the file is loaded: a ¦ in a text goes away, and random parts are drawn, so that no scanner of a repository takes this
 * file for a leak.
 */
import type { DataClass } from '../../../schemas/data-class.ts';

export interface Planted {
  readonly type: DataClass;
  readonly text: string;
  /** Places of what is to be found. */
  readonly places: readonly { readonly start: number; readonly end: number }[];
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const ALNUM = `${LOWER}${LOWER.toUpperCase()}${DIGITS}`;

let state = 20_261_121;

/** Characters of an alphabet, the same in each run. */
function draw(alphabet: string, length: number): string {
  let text = '';
  while (text.length < length) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    text += alphabet.charAt((state >> 12) % alphabet.length);
  }
  return text;
}

export const alnum = (length: number): string => `a1B${draw(ALNUM, length - 3)}`;
export const hex = (length: number): string => `c4${draw(`${DIGITS}abcdef`, length - 2)}`;
export const base64 = (length: number): string => `xY7${draw(`${ALNUM}+/`, length - 3)}`;
const base64url = (length: number): string => `Zk3${draw(`${ALNUM}-_`, length - 4)}Q`;
const upper = (length: number): string => draw(`${LOWER.toUpperCase()}234567`, length);

export function jwt(claims: object = { sub: '12345', iat: 1_795_248_800 }): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}.${base64url(43)}`;
}

export function pem(kind: string, lines = 4, lineBreak = '\n'): string {
  const body = Array.from({ length: lines }, () => base64(64)).join(lineBreak);
  return `-----BEGIN ${kind}-----${lineBreak}${body}${lineBreak}-----END ${kind}-----`;
}

export function toPlanted(type: DataClass, marked: string): Planted {
  const places: { start: number; end: number }[] = [];
  let text = '';
  for (const piece of marked.replaceAll('¦', '').split(/([«»])/)) {
    if (piece === '«') places.push({ start: text.length, end: text.length });
    else if (piece === '»') places[places.length - 1]!.end = text.length;
    else text += piece;
  }
  return { type, text, places };
}

const SECRETS: Readonly<Partial<Record<DataClass, readonly string[]>>> = {
  aws_access_key_id: [
    'echo «AK¦IAIOSFODNN7EXAMPLE» && exit 3',
    `{"AccessKeyId":"«AS¦IA${upper(16)}»","Expiration":"2026-11-21T08:13:27Z"}`,
    `aws_access_key_id=«AK¦IA${upper(16)}»\nregion=eu-central-1`,
    `\u001b[32m«AK¦IA${upper(16)}»\u001b[0m`,
    `s3://bucket?X-Amz-Credential=«AK¦IA${upper(16)}»%2F20261121%2Feu-central-1`,
    `first line\\n«AK¦IA${upper(16)}»\\nlast line`,
  ],
  aws_secret_access_key: [
    `aws_secret_access_key = «${base64(40)}»`,
    '"SecretAccessKey": "«wJalrXUt¦nFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»"',
    `export AWS_SECRET_ACCESS_KEY=«${base64(40)}»\n`,
    `AWS_SECRET_KEY: '«${base64(40)}»'`,
  ],
  github_token: [
    `git clone https://x-access-token:«gh¦s_${alnum(36)}»@github.com/acme/web.git`,
    `GH_TOKEN=«gh¦p_${alnum(36)}» gh pr list`,
    `remote: «gh¦o_${alnum(36)}»`,
    `"github": "«git¦hub_pat_${alnum(22)}_${alnum(59)}»"`,
    `curl -H "Authorization: token «gh¦p_${alnum(36)}»" https://api.github.com/user`,
    `?access_token%3D«gh¦u_${alnum(36)}»&x=1`,
  ],
  gitlab_token: [
    `curl --header "PRIVATE-TOKEN: «gl¦pat-${base64url(20)}»" https://gitlab.example.com/api/v4`,
    `registration «gl¦rt-${base64url(20)}» used`,
    `GITLAB=«gl¦pat-${alnum(26)}»`,
  ],
  slack_token: [
    `SLACK_BOT_TOKEN=«xo¦xb-${draw(DIGITS, 12)}-${draw(DIGITS, 13)}-${alnum(24)}»`,
    `client = WebClient("«xo¦xp-${draw(DIGITS, 11)}-${draw(DIGITS, 11)}-${hex(32)}»")`,
    `level: «xa¦pp-1-A${upper(10)}-${draw(DIGITS, 13)}-${hex(64)}»`,
  ],
  slack_webhook: [
    `curl -X POST https://hooks.slack.com/services/«T¦${upper(8)}/B${upper(8)}/${alnum(24)}» -d '{"text":"hi"}'`,
    `webhook_url: "https://hooks.slack.com/services/«T¦${upper(10)}/B${upper(10)}/${alnum(24)}»"`,
  ],
  stripe_key: [
    `Stripe.api_key = "«sk_¦live_${alnum(24)}»"`,
    `STRIPE_RESTRICTED=«rk_¦live_${alnum(99)}»`,
    `stripe listen --api-key «sk_¦test_${alnum(24)}»`,
  ],
  anthropic_key: [
    `ANTHROPIC_API_KEY=«sk-¦ant-api03-${base64url(93)}AA»`,
    `x-api-key: «sk-¦ant-admin01-${base64url(93)}»`,
    `Error: invalid x-api-key (got "«sk-¦ant-oat01-${base64url(90)}»")`,
  ],
  openai_key: [
    `openai.api_key = '«sk-¦${alnum(20)}T3BlbkFJ${alnum(20)}»'`,
    `OPENAI_API_KEY=«sk-¦proj-${base64url(120)}»`,
    `"key": "«sk-¦svcacct-${base64url(60)}»"`,
    `litellm --master-key «sk-¦${base64url(22)}»`,
  ],
  google_api_key: [
    `https://maps.googleapis.com/maps/api/js?key=«AI¦za${base64url(35)}»&v=3`,
    `firebase: { apiKey: "«AI¦za${base64url(35)}»" }`,
  ],
  gcp_private_key: [
    `{"type":"service_account","private_key":"«${pem('PRIVATE¦ KEY', 4, '\\n')}»\\n","client_id":"1"}`,
    `"private_key": "«${pem('PRIVATE¦ KEY', 3)}»"`,
  ],
  npm_token: [
    `//registry.npmjs.org/:_authToken=«np¦m_${alnum(36)}»`,
    `npm config set token «np¦m_${alnum(36)}»`,
  ],
  pypi_token: [
    `password = «py¦pi-AgEIcHlwaS5vcmc${base64url(120)}»`,
    `twine upload -u __token__ -p «py¦pi-${base64url(90)}» dist/*`,
  ],
  sendgrid_key: [
    `SENDGRID=«S¦G.${base64url(22)}.${base64url(43)}»`,
    `sg = sendgrid.SendGridAPIClient("«S¦G.${base64url(22)}.${base64url(43)}»")`,
  ],
  twilio_key: [
    `twilio api key «S¦K${hex(32)}» made`,
    `TWILIO_AUTH_TOKEN=«${hex(32)}»`,
    `client = Client(sid, auth) # «S¦K${hex(32)}»`,
  ],
  azure_storage_key: [
    `DefaultEndpointsProtocol=https;AccountName=acme;Account¦Key=«${base64(86)}==»;EndpointSuffix=core.windows.net`,
    `AZURE_STORAGE_CONNECTION_STRING="AccountName=a;Account¦Key=«${base64(86)}==»"`,
  ],
  jwt: [
    `Cookie: session=«${jwt()}»; Path=/`,
    `{"id":"«${jwt({ iss: 'https://idp.example.com', scope: 'a b' })}»","n":1}`,
    `id=«${jwt()}»`,
    `console.log('«${jwt({ admin: true })}»')`,
  ],
  private_key: [
    `$ cat id_rsa\n«${pem('OPENSSH PRIVATE¦ KEY', 8)}»\n`,
    `ssl_key: |\n«${pem('RSA PRIVATE¦ KEY', 6)}»`,
    `{\\"key\\":\\"«${pem('EC PRIVATE¦ KEY', 3, '\\\\n')}»\\"}`,
    `«-----BEGIN RSA PRIVATE¦ KEY-----\n${base64(64)}\n${base64(40)}»`,
    `«${pem('PGP PRIVATE¦ KEY BLOCK', 4)}»`,
    `«${pem('ENCRYPTED PRIVATE¦ KEY', 4, '\r\n')}»`,
  ],
  url_password: [
    'DATABASE_URL=postgres://app:«s3¦cr3t-pw»@db.internal:5432/app',
    'redis://:«q9Lm¦zz81»@cache:6379/0',
    'git remote add origin https://build:«Wx7¦!pp_2»@git.example.com/a.git',
    'mongodb+srv://root:«mong¦oRoot»@cluster0.example.net/?retryWrites=true',
    'amqp://guest:«r@bb¦it9»@mq:5672',
    'proxy = "http://proxyuser:«Pr0xy¦Pass»@10.0.0.1:3128"',
  ],
  authorization: [
    `Authorization: Bearer «${base64url(40)}»`,
    'authorization: Basic «YWxhZGRpbjpv¦cGVuc2VzYW1l»',
    `curl -H 'Authorization: Bearer «${alnum(32)}»' https://api.example.com`,
    `"Proxy-Authorization":"Basic «${Buffer.from('svc:Pa55word').toString('base64')}»"`,
    `headers={'authorization': 'bearer «${base64url(24)}»'}`,
  ],
  labelled_secret: [
    'password = "«hunt¦er2!»"',
    'DB_PASSWORD=«Corr3ct¦Horse»',
    '"client_secret":"«8Q~x1¦.Zt_90-kLmPq»"',
    'api_key: "«abcd1234¦efgh5678»"',
    `token: '«${hex(40)}»'`,
    'mysql -u root --password=«r00t¦Pw!» app',
    `docker login --password «dckr_${alnum(20)}» registry.example.com`,
    'PGPASSWORD=«p4ss¦w0rt99» psql -h db',
    'spring.datasource.password=«Tr0ub4¦dor&3»',
    '{\\"username\\":\\"alice\\",\\"password\\":\\"«S3cure¦Pw-9»\\"}',
    '<password>«Xml¦Pa55word»</password>',
    'user: bob, passwd: «b0b¦by7abl»',
    `SECRET_KEY = 'django-${alnum(20)}'`.replace('django-', '«django-').replace(/'$/, "»'"),
    `https://hook.example.com/in?token=«${alnum(24)}»&v=2`,
    `JWT_SECRET="«${hex(48)}»"`,
    'ftp_pass: «F¦tp!2024x»',
    `x-api-key: «${hex(32)}»`,
    'passphrase: "«tAnG0!¦keyring77»"',
  ],
};

const PERSONAL: Readonly<Partial<Record<DataClass, readonly string[]>>> = {
  payment_card: [
    'charge «4111 1111 1111 1111» exp 12/29',
    'card=«5500-0000-0000-0004»',
    '{"pan":"«378282246310005»"}',
    'Amex «3714 496353 98431» declined',
    'Discover «6011111111111117»,',
    'JCB: «3530111333300000»',
    'Diners «30569309025904»',
    'mastercard «2223003122003222»;',
    'Visa «4012888888881881».',
  ],
  us_ssn: [
    'SSN: «123-45-6789»',
    '{"ssn":"«219-09-9999»"}',
    'social security number «001234567»',
    'row 7: Jane, «457-55-5462», NY',
    'ssn «536 22 1111»',
  ],
  medical_record_number: [
    'MRN: «00123456»',
    'Medical record number «A4471290» was opened',
    '{"mrn":"«MR-883021»"}',
    'patient_id=«8837261»',
    'chart MRN#«77120934»',
  ],
  iban: [
    'IBAN «DE89 3704 0044 0532 0130 00»',
    'pay to «GB29NWBK60161331926819»',
    '{"iban":"«FR1420041010050500013M02606»"}',
    'konto «NL91ABNA0417164300».',
    'CH: «CH93 0076 2011 6238 5295 7»',
  ],
  email: [
    'mail «jane.doe@example.com» about it',
    'Author: Alice <«alice+git@acme.dev»>',
    '{"user":"«bob_smith@mail.example.co.uk»"}',
    'To: «o.neil-jones@sub.example.org», cc',
    'Co-authored-by: Bot <«noreply@example.com»>',
    'first\\n«max@example.de»\\nlast',
    'mailto:«support@example.net»?subject=hi',
    'grep found «UPPER@EXAMPLE.COM» twice',
  ],
  phone: [
    'call «(555) 123-4567» now',
    'phone: «+1 415 555 2671»',
    '«+49 30 901820» Berlin',
    'ring «555-867-5309» please',
    'tel «020 7946 0958»',
    'France «06 12 34 56 78»',
    '{"mobile":"«+447700900123»"}',
    'fax: «212.555.0199»',
    'number «1-800-555-0199» is free',
    'Tel. «0171/1234567»',
    'reach me at «+33 (0)1 42 68 53 00»',
  ],
  postal_address: [
    'ship to «742 Evergreen Terrace, Springfield, IL 62704»',
    'office at «1600 Pennsylvania Ave»',
    'lives in «Portland, OR 97201» since May',
    '{"address":"«12 Main St, Apt 4B, Boston, MA 02118»"}',
    '«221B Baker Street» in London',
    'at «350 5th Avenue» on Friday',
  ],
  person_name: [
    'Patient: «John Smith»\nWard 3',
    'name: «Maria Garcia»',
    'Mr. Brown'.replace('Mr. Brown', '«Mr. Brown» called'),
    'seen by «Dr. Anna Kowalska» today',
    '{"patient_name":"«Jürgen Müller»"}',
    'full name: «Ludwig van Beethoven»,',
    'Customer Name = «O’Brien, Sean»;',
    '"firstName": "«Priya»"',
    '«Mrs. Dalloway» said she would buy the flowers',
  ],
  date_of_birth: [
    'DOB: «01/02/1980»',
    'date of birth: «1975-11-30»',
    '{"birthDate":"«1990-07-04»"}',
    'born on «March 3, 1962» in Rome',
    'birthday «24.12.1988»',
    'dob=«19800102»',
  ],
};

export const PLANTED: readonly Planted[] = [SECRETS, PERSONAL].flatMap((group) =>
  Object.entries(group).flatMap(([type, texts]) => texts.map((text) => toPlanted(type as DataClass, text))),
);
