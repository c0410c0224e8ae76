/** The system's error code if there is one, else the message. Callers print it, so it must never quote sent text. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error ? String(error.code) : error.message;
}
