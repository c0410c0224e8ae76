import type { Framework } from '../controls/control.ts';
import { SOC2 } from './soc2/soc2.ts';

/** Every framework that packages are made for. A new one is a folder beside `soc2/` and a line here. */
export const FRAMEWORKS: readonly Framework[] = [SOC2];
