import type { World } from './world.ts';

/** The operator says that the event log that is there now may be read from its beginning. */
export function acceptEventLog(world: World): void {
  const id = world.partition.id();
  if (world.acceptedEventLog === id) return;
  world.acceptedEventLog = id;
  world.coverage.count('event log accepted');
  world.say(`the operator accepts the event log ${id}`);
}
