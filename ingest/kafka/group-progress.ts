import type { OffsetRange } from './client.ts';

/** How far a group has come in each partition of a topic, compared with where the messages ended at the start. */
export class GroupProgress {
  readonly #ranges: ReadonlyMap<number, OffsetRange>;
  /** Offset after the messages that the group has read, by partition. Raised by `learn` and `advance`. */
  readonly #done = new Map<number, bigint>();
  /** The same for messages that this process has read since it joined last. Cleared by `forgetOwn`. */
  readonly #ownNext = new Map<number, bigint>();

  constructor(ranges: ReadonlyMap<number, OffsetRange>, commits: ReadonlyMap<number, bigint>) {
    this.#ranges = ranges;
    for (const [partition, { low }] of ranges) this.#done.set(partition, low);
    this.learn(commits);
  }

  /** Takes in the group's commits. A lower offset than the known one changes nothing. */
  learn(commits: ReadonlyMap<number, bigint>): void {
    for (const [partition, next] of commits) this.#raise(partition, next);
  }

  /** This process has read the partition up to `next`. */
  advance(partition: number, next: bigint): void {
    this.#raise(partition, next);
    this.#ownNext.set(partition, next);
  }

  isComplete(): boolean {
    return [...this.#ranges].every(([partition, { high }]) => (this.#done.get(partition) ?? 0n) >= high);
  }

  /** The offset that this process has to get next, where it has read the partition since it joined last. */
  ownNext(partition: number): bigint | undefined {
    return this.#ownNext.get(partition);
  }

  /** Partitions may have been with another process meanwhile. */
  forgetOwn(): void {
    this.#ownNext.clear();
  }

  #raise(partition: number, next: bigint): void {
    const known = this.#done.get(partition);
    if (known === undefined || next > known) this.#done.set(partition, next);
  }
}
