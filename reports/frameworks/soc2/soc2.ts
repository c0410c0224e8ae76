import type { Framework } from '../../controls/control.ts';
import { CC6_1 } from './cc6-1.ts';
import { CC7_2 } from './cc7-2.ts';
import { CC8_1 } from './cc8-1.ts';

/** The controls of SOC 2 that records of agents can speak to. */
export const SOC2: Framework = {
  id: 'soc2',
  version: 'soc2-2026.2',
  title: 'SOC 2',
  criteria: 'Trust Services Criteria (2017, points of focus of 2022)',
  controls: [CC6_1, CC7_2, CC8_1],
};
