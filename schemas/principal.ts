/** Rights of a credential: collectors send, admins read and administer. */
export type Role = 'collector' | 'admin';

/** The owner of a credential. `id` is a stable name that the operator chose; it does not name a person. */
export interface Principal {
  readonly id: string;
  readonly role: Role;
}

/** Finds the principal of a bearer token in constant time for any token of the same length; undefined if unknown. */
export type VerifyToken = (token: string) => Principal | undefined;
