/** The output of a command: a terminal, a pipe or a test. */
export interface Output {
  readonly isTerminal: boolean;
  write(text: string): void;
}

export interface Progress {
  /** Shows one line for the current step; on a terminal it replaces the line before. */
  step(text: string): void;
  /** Ends the current line. */
  done(): void;
}

const CLEAR_LINE = '\r\u001b[2K';

/** Progress of long work: one line that changes on a terminal; elsewhere nothing, or plain lines with `always`. */
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
