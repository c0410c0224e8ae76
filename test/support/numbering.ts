import { randomBytes } from 'node:crypto';
import { toFrameKey } from '../../ingest/frame-key.ts';
import type { Numbering } from '../../ingest/frame-writer.ts';

/** The key of the event log in tests. */
export const FRAME_KEY = toFrameKey(Buffer.alloc(32, 5));
export const NUMBERING: Numbering = { key: FRAME_KEY, randomBytes };
