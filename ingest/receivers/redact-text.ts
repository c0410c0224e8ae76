import { findSecrets } from '../../connectors/detect/secrets.ts';
import type { SecretType } from '../../schemas/data-class.ts';

/**
 * Sixteen hex digits that stand for a secret: the same for the same secret wherever it appears, and worthless to whoever
 * has not the key of the installation.
 */
export type Fingerprint = (secret: string) => string;

/** Puts marks in the place of secrets and counts them. */
export interface Marks {
  /**
   * The text with `[secret:<type>:<fingerprint>]` for each secret, or undefined where it holds none. `name` is the name
   * of the member whose value it is.
   */
  readonly redact: (text: string, name?: string) => string | undefined;
  readonly count: () => number;
  /** Sorted, each once. */
  readonly types: () => SecretType[];
}

export function createMarks(fingerprint: Fingerprint): Marks {
  const types = new Set<SecretType>();
  let count = 0;
  return {
    redact(text, name) {
      const found = findSecrets(text, name);
      if (found.length === 0) return undefined;
      let redacted = '';
      let from = 0;
      for (const { type, start, end } of found) {
        redacted += `${text.slice(from, start)}[secret:${type}:${fingerprint(text.slice(start, end))}]`;
        from = end;
        types.add(type);
        count += 1;
      }
      return redacted + text.slice(from);
    },
    count: () => count,
    types: () => [...types].sort(),
  };
}
