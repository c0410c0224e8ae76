/**
 * Names of event logs where brokers give topics no ids: the topic's name, and how often an operator accepted another topic
 * of that name. Pure.
 */

const GENERATION = /^(kafka-name:[^#]+)(?:#([1-9][0-9]{0,8}))?$/;

/** The first generation. Names of topics hold no `#`. */
export function nameOfTopic(topic: string): string {
  return `kafka-name:${topic}`;
}

export function isGenerationOf(topic: string, eventLog: string): boolean {
  return GENERATION.exec(eventLog)?.[1] === nameOfTopic(topic);
}

/** The event log that an operator accepts when the topic was created again. Undefined where the medium gives ids. */
export function nextGeneration(eventLog: string): string | undefined {
  const [, first, generation = '1'] = GENERATION.exec(eventLog) ?? [];
  return first === undefined ? undefined : `${first}#${Number(generation) + 1}`;
}
