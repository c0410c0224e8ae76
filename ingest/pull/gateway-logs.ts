/** Log files of a gateway, in a folder or a bucket. Another program writes them; they are read, never changed. */

export interface GatewayLogFile {
  /** Path below the folder or prefix, with slashes. */
  readonly name: string;
  /** At most so many stored bytes are read; bytes that are appended meanwhile are left for the next look. */
  readonly sizeBytes: number;
  /** Changes whenever the bytes may have changed. */
  readonly version: string;
  /** Whether its writer may still append, so that its last line may be incomplete. */
  readonly mayGrow: boolean;
}

/** PORT. Nothing is locked: a file may grow, be replaced or vanish between two calls. */
export interface GatewayLogs {
  /**
   * All files, in order of their names' UTF-16 code units. A name with a part that begins with a dot is hidden and left
   * out. Rejects with STORE_UNAVAILABLE if the folder or bucket cannot be listed.
   */
  list(): Promise<readonly GatewayLogFile[]>;
  /**
   * The stored bytes from the first on. Throws NOT_FOUND if the file is gone or was replaced since it was listed,
   * AUTH_FORBIDDEN if it may not be read, STORE_UNAVAILABLE if the bucket does not answer.
   */
  read(file: GatewayLogFile): AsyncIterable<Buffer>;
  close(): void;
}

export function isHidden(name: string): boolean {
  return name.split('/').some((part) => part.startsWith('.'));
}

export function byName(a: GatewayLogFile, b: GatewayLogFile): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
