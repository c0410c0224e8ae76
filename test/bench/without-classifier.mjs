/** Loaded before the built server, in each of its threads: then nothing is searched for secrets or personal data. */
import { register } from 'node:module';

register('./without-classifier-hooks.mjs', import.meta.url);
