import { writeFileSync } from 'node:fs';
import { configError } from '../config.ts';
import { compileValidator } from '../schemas/validate.ts';
import type { ManagedSettingsOptions, System } from './managed-settings-choices.ts';
import { managedSettings } from './managed-settings-content.ts';
import { readManagedSettingsOptions } from './managed-settings-options.ts';
import { ManagedSettings } from './managed-settings-schema.ts';
import { toJsonLine, type Output } from './output.ts';

/** managed-settings, "Where each mechanism stores the policy". */
const PLACES: Readonly<Record<System, string>> = {
  linux: '/etc/claude-code/managed-settings.json',
  macos: '/Library/Application Support/ClaudeCode/managed-settings.json',
  windows: String.raw`C:\Program Files\ClaudeCode\managed-settings.json`,
};

export const checkManagedSettings = compileValidator(ManagedSettings);

/**
 * Writes managed settings for one kind of machine to `output` or to a file. An existing file is overwritten only with
 * `force`. Where the files belong is written to `notes`. Throws CONFIG_INVALID for the options.
 */
export function writeManagedSettings(options: ManagedSettingsOptions, output: Output, notes: Output): void {
  const plan = readManagedSettingsOptions(options);
  const settings = managedSettings(plan);
  const checked = checkManagedSettings(settings);
  // Options cannot cause this. The client would silently drop an unknown field.
  if (!checked.ok) throw configError(checked.problems);
  const text = toJsonLine(settings);
  if (options.out === undefined) output.write(text);
  else writeNew(options.out, text, options.force);
  const at = options.out === undefined ? '' : `Written to ${options.out}. `;
  notes.write(`${at}It belongs at ${PLACES[plan.system]}, owned by an administrator.\n`);
  notes.write(`The hook client (dist/hook.mjs) belongs at ${plan.client}; it runs on ${plan.node}.\n`);
  if (plan.guards !== undefined) notes.write(`The guards belong at ${plan.guards}.\n`);
  if (plan.token === undefined) {
    notes.write(`The token is not in the file: set ${plan.tokenVariable} in each person's environment.\n`);
  } else {
    notes.write('WARNING: the token is in the file, and everyone who uses the machine can read it.\n');
  }
}

function writeNew(path: string, text: string, force: boolean): void {
  try {
    // Everyone may read it, because the client runs as the person who starts it.
    writeFileSync(path, text, { mode: 0o644, flag: force ? 'w' : 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message =
      code === 'EEXIST' ? 'exists; --force overwrites it' : `cannot be written: ${code ?? 'unknown'}`;
    throw configError([{ pointer: '--out', message }]);
  }
}
