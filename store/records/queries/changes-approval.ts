/** SQL that judges the reviews of a change, over the columns of `proposedChanges`. */
import { ALL_REVIEWERS } from './changes-forge.ts';

const BEFORE_MERGE = `arrayFilter(review -> NOT is_merged OR review.at <= merged_at, reviews)`;

/** True of a review that a later one replaces: a dismissal of it, or any other review by the same person. */
const IS_SUPERSEDED = `arrayExists(
        later -> (later.at, later.position) > (review.at, review.position)
            AND later.reviewer IN (review.reviewer, '${ALL_REVIEWERS}')
            AND (later.review_id = review.review_id OR later.decision != 'dismissed'),
        counted_reviews)`;

/** Columns for other queries: the reviews before the merge, the approvals among them, and the approvals after it. */
export const JUDGED_REVIEWS = `${BEFORE_MERGE} AS counted_reviews,
    arrayFilter(review -> review.decision = 'approved' AND NOT ${IS_SUPERSEDED}, counted_reviews) AS standing_approvals,
    arrayFilter(review -> review.decision = 'approved' AND ${IS_SUPERSEDED}, counted_reviews) AS superseded_approvals,
    arrayFilter(review -> is_merged AND review.decision = 'approved' AND review.at > merged_at, reviews) AS late_approvals`;

/**
 * The approvals by a person who is not among `involved` (lower case). If the author is unknown, no approval counts,
 * because any reviewer may be the author.
 */
export function independentOf(approvals: string, involved: string): string {
  return `arrayFilter(
        review -> author != '' AND review.reviewer != '' AND NOT endsWith(review.reviewer, '[bot]') AND NOT has(${involved}, lower(review.reviewer)),
        ${approvals})`;
}

/** The names of reviewers in a list of reviews, sorted, each once. */
export function reviewersOf(reviews: string): string {
  return `arraySort(arrayDistinct(arrayMap(review -> review.reviewer, ${reviews})))`;
}
