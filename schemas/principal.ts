/** What a credential may do in this version: collectors send, admins read and administer. */
export type Role = 'collector' | 'admin';

/** Who a credential stands for. `id` is a stable name chosen by the operator, not a person. */
export interface Principal {
  readonly id: string;
  readonly role: Role;
}

/** Finds the principal of a bearer token in constant time for any token of the same length; undefined if unknown. */
export type VerifyToken = (token: string) => Principal | undefined;
