/** Whether the event log is the one that the ledger was read from. Pure: a table of cases. */

export interface EventLogIds {
  /** Id of the log that is there. Undefined where its medium gives none. */
  readonly found: string | undefined;
  /** Id that the operator accepted, by the first start or by word. Undefined in a deployment of an older version. */
  readonly accepted: string | undefined;
  /** Id in the newest bundle. Undefined in an empty ledger, and in bundles of an older version. */
  readonly sealed: string | undefined;
}

/**
 * - `same`: reading goes on at the ledger's next offset.
 * - `begin_again`: the operator accepted another log; it is read from its beginning.
 * - `refused`: nothing may be appended, read or removed.
 */
export type EventLogVerdict =
  { readonly kind: 'same' | 'begin_again' } | { readonly kind: 'refused'; readonly detail: string };

export function judgeEventLog({ found, accepted, sealed }: EventLogIds): EventLogVerdict {
  if (found === undefined) {
    const known = accepted ?? sealed;
    if (known === undefined) return { kind: 'same' };
    return refused(`the event log gives no id, but it was ${known} before`);
  }
  if (accepted !== undefined && accepted !== found) {
    return refused(`the event log is ${found}, but the deployment accepted ${accepted}`);
  }
  if (sealed === undefined || sealed === found) return { kind: 'same' };
  if (accepted === found) return { kind: 'begin_again' };
  return refused(`the event log is ${found}, but the newest bundle was read from ${sealed}`);
}

/** Where the newest bundle of a log ends, and the event log that it was read from. */
export interface SealedFrom {
  readonly treeSize: number;
  readonly eventLog: string | undefined;
}

/**
 * Whether the ledgers of all partitions vouch for the event log that is there. One that holds nothing cannot contradict.
 * A bundle of an older version, which names no event log, vouches for none.
 */
export function allSealFrom(id: string, ledgers: readonly SealedFrom[]): boolean {
  const begun = ledgers.filter(({ treeSize }) => treeSize > 0);
  return begun.length > 0 && begun.every(({ eventLog }) => eventLog === id);
}

function refused(detail: string): EventLogVerdict {
  return {
    kind: 'refused',
    detail: `${detail}: acknowledged envelopes of the old log that are not sealed are lost if it does not come back`,
  };
}
