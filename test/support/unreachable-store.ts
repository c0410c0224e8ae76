import { PipelineError } from '../../schemas/errors.ts';
import type { RecordStore } from '../../store/records/record-store.ts';

/** A record store whose engine does not answer, as its port describes that. */
export function unreachableStore(): RecordStore {
  const refuse = () => Promise.reject(new PipelineError('STORE_UNAVAILABLE', 'the engine does not answer'));
  const versions = { noted: refuse, note: refuse };
  return {
    versions,
    insert: refuse,
    size: refuse,
    read: refuse,
    clear: refuse,
    close: () => Promise.resolve(),
  };
}
