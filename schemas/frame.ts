import { Type, type Static } from 'typebox';
import { PartKind } from './bundle.ts';
import { Subject } from './data-key.ts';
import { HashBase64Url, SafeCount } from './primitives.ts';
import { PartClass } from './retention.ts';

/** 96 random bits as base64url: the nonce of AES-GCM (NIST SP 800-38D section 8.2.2). */
export const FrameNonce = Type.String({ pattern: '^[A-Za-z0-9_-]{16}$' });

/**
 * A line of a bundle in front of its leaves: one frame, that is the parts of one kind, one retention class and one
 * subject, compressed and encrypted. `digest` (SHA-256) and `size_bytes` are of the encrypted bytes. The frames of a
 * payload object lie in it side by side, in the order of these lines. The bytes of a line are canonical JSON.
 */
export const FrameRef = Type.Object(
  {
    kind: PartKind,
    retention_class: PartClass,
    subject: Type.Union([Subject, Type.Null()], {
      description: 'surrogate of the person whose key encrypts the frame; null for the key of the class',
    }),
    commitment: HashBase64Url,
    nonce: FrameNonce,
    line_count: Type.Integer({ minimum: 1 }),
    payload: SafeCount,
    size_bytes: SafeCount,
    digest: HashBase64Url,
  },
  { additionalProperties: false },
);
export type FrameRef = Static<typeof FrameRef>;
