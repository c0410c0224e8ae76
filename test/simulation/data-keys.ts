import { createMemoryKeyStore } from '../support/memory-key-store.ts';

/** One key store for all machines and runs. Its faults are tried where it is tested. */
export const dataKeys = createMemoryKeyStore();
