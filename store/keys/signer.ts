/**
 * PORT: signs notes. The private key never leaves the adapter.
 *
 * `sign` returns the raw 64-byte Ed25519 signature over exactly the given bytes. `vkey` is the C2SP signed-note
 * verifier key (`name+hex key id+base64 of type byte and public key`); `name` is its first part.
 */
export interface Signer {
  readonly name: string;
  readonly vkey: string;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/**
 * PORT: remembers, outside the archive and the record store, the largest head ever signed for each origin.
 *
 * `advance` resolves only when the new head is durable. It throws SIGNER_REFUSED for a smaller size, or for the same
 * size with another root: signing either would fork the log. The same head again is accepted when it is durable. It throws
 * SIGNER_UNAVAILABLE where it cannot remember a head now; then nothing has changed.
 */
export interface HeadGuard {
  latest(origin: string): Promise<{ readonly tree_size: number; readonly root_hash: string } | undefined>;
  advance(origin: string, head: { readonly tree_size: number; readonly root_hash: string }): Promise<void>;
}
