import type { Control } from '../../controls/control.ts';
import { CC6_1 } from './cc6-1.ts';
import { CC7_2 } from './cc7-2.ts';
import { CC8_1 } from './cc8-1.ts';

/** Rises with every change of a definition, a query or a rule; printed in every package. */
export const SOC2_CATALOGUE_VERSION = 'soc2-2026.1';

/** Controls over the Trust Services Criteria of 2017 (points of focus of 2022) that agent records can speak to. */
export const SOC2_CONTROLS: readonly Control[] = [CC6_1, CC7_2, CC8_1];
