const LOADER = import.meta.resolve('tsx/esm/api');
const WORKER = new URL('../../store/verify/bundle-worker.ts', import.meta.url).href;

/** A thread that runs this code instead of a file. */
export function entryOf(code: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

/** The thread that checks bundles, from its source; what runs the tests leaves threads without a loader. */
export const BUNDLE_WORKER = `
  import { register } from '${LOADER}';
  register();
  await import('${WORKER}');
`;
