/** SQL that judges the reviews of a change, over the columns of `proposedChanges`. */
import { EVERYBODY } from './changes-forge.ts';

/** Members of an opinion, by place: when, where in the log, who, of which review, what, of which commit, by which record. */
const BEFORE_MERGE = `arrayFilter(o -> NOT is_merged OR o.1 <= merged_at, opinions)`;

/**
 * True of an opinion that a later one takes the place of: a dismissal of the same review, or any other opinion of the
 * same person.
 */
const IS_SUPERSEDED = `arrayExists(
        l -> (l.1, l.2) > (o.1, o.2) AND l.3 IN (o.3, '${EVERYBODY}') AND (l.4 = o.4 OR l.5 != 'dismissed'),
        counted_opinions)`;

/** Columns that others build on: opinions before the merge, and of them the approvals that stood and that did not. */
export const JUDGED_OPINIONS = `${BEFORE_MERGE} AS counted_opinions,
    arrayFilter(o -> o.5 = 'approved' AND NOT ${IS_SUPERSEDED}, counted_opinions) AS standing_approvals,
    arrayFilter(o -> o.5 = 'approved' AND ${IS_SUPERSEDED}, counted_opinions) AS superseded_approvals,
    arrayFilter(o -> is_merged AND o.5 = 'approved' AND o.1 > merged_at, opinions) AS late_approvals`;

/**
 * Those of the approvals whose giver is a person, and none of `involved` (lower case). Where the author is not known,
 * nobody can be told from the author, and none counts.
 */
export function independentOf(approvals: string, involved: string): string {
  return `arrayFilter(o -> author != '' AND o.3 != '' AND NOT endsWith(o.3, '[bot]') AND NOT has(${involved}, lower(o.3)), ${approvals})`;
}

/** Names in a list of opinions, sorted, each once. */
export function reviewersOf(opinions: string): string {
  return `arraySort(arrayDistinct(arrayMap(o -> o.3, ${opinions})))`;
}
