/** Loaded before the built program, in each of its threads: then its event log runs on @platformatic/kafka. */
import { register } from 'node:module';

register('./preload-hooks.mjs', import.meta.url);
