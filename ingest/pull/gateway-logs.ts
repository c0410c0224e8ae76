/** Files of logs that somebody else writes, in a folder or a bucket. They are read, never changed. */

export interface LogFile {
  /** Below the folder or prefix, with slashes. */
  readonly name: string;
  /** Of the stored bytes, at most so many are read: what is appended meanwhile is for another time. */
  readonly sizeBytes: number;
  /** Another text whenever the bytes may be others. */
  readonly version: string;
  /** Whether its writer may still append, so that its last line may be half of one. */
  readonly mayGrow: boolean;
}

/** Nothing is locked: a file may grow, be replaced or vanish between two calls. */
export interface LogFiles {
  /**
   * All files, in order of their names' UTF-16 code units. Names with a part that begins with a dot are left out, by
   * which programs name what is not for others. Rejects with STORE_UNAVAILABLE where the place cannot be listed.
   */
  list(): Promise<readonly LogFile[]>;
  /**
   * The stored bytes from the first on. Throws NOT_FOUND where the file is gone or another since it was listed,
   * AUTH_FORBIDDEN where it may not be read, STORE_UNAVAILABLE where the place does not answer.
   */
  read(file: LogFile): AsyncIterable<Buffer>;
  close(): void;
}

export function isHidden(name: string): boolean {
  return name.split('/').some((part) => part.startsWith('.'));
}

export function byName(a: LogFile, b: LogFile): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
