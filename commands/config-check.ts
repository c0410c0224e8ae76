import { configKeys, type Config } from '../config.ts';
import { isJsonObject, type JsonValue } from '../schemas/json.ts';
import { toJsonLine, type Output } from './output.ts';

const SECRET_KEYS: ReadonlySet<string> = new Set([
  'admin_token',
  'collector_token',
  'clickhouse.password',
  'kafka.sasl_password',
  's3.secret_access_key',
]);

/** Shows the configuration in force, secrets as `[secret]`. Loading has already reported every problem. */
export function configCheck(config: Config, output: Output, { json }: { readonly json: boolean }): void {
  const shown = configKeys().map(({ path, variable }) => {
    const value = valueAt(config, path);
    return {
      key: path.join('.'),
      variable,
      value: value !== null && SECRET_KEYS.has(path.join('.')) ? '[secret]' : value,
    };
  });
  if (json) {
    output.write(toJsonLine({ ok: true, keys: shown }));
    return;
  }
  const width = Math.max(...shown.map(({ key }) => key.length));
  const lines = shown.map(
    ({ key, value }) => `  ${key.padEnd(width)}  ${value === null ? '(not set)' : String(value)}\n`,
  );
  output.write(`Configuration is valid.\n${lines.join('')}`);
}

function valueAt(value: JsonValue, path: readonly string[]): string | number | boolean | null {
  const found = path.reduce<JsonValue>((at, name) => (isJsonObject(at) ? (at[name] ?? null) : null), value);
  return typeof found === 'object' ? null : found;
}
