/** What a command writes to: a terminal, a pipe or a test. */
export interface Output {
  readonly isTerminal: boolean;
  write(text: string): void;
}

export interface Progress {
  /** One line for what is being done now; on a terminal it replaces the one before. */
  step(text: string): void;
  /** Ends the line in hand. */
  done(): void;
}

const CLEAR_LINE = '\r\u001b[2K';

/** Progress of long work: a living line on a terminal, nothing elsewhere unless `always` asks for plain lines. */
export function createProgress(
  output: Output,
  { always = false }: { readonly always?: boolean } = {},
): Progress {
  let open = false;
  return {
    step(text) {
      if (output.isTerminal) {
        output.write(`${CLEAR_LINE}${text}`);
        open = true;
      } else if (always) {
        output.write(`${text}\n`);
      }
    },
    done() {
      if (open) output.write('\n');
      open = false;
    },
  };
}

export function toJsonLine(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
