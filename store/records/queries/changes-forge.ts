/** Pushes, changes and checks as the forge reported them, as sub-queries: one row per commit, per change, per head. */
import { where, type Condition } from './conditions.ts';
import { NANOSECONDS, OBSERVED_AT } from './instants.ts';
import { idsInLogOrder, POSITION_TYPE } from './record-ids.ts';
import { named } from './tuples.ts';

/** Members of a payload: a name alone is read as text, a nested shape as an object. */
type Shape = { readonly [name: string]: true | Shape };

/** Reads a payload once for all its members. One parse per member would take most of a query's time. */
function payloadOf(shape: Shape): string {
  return `JSONExtract(content, '${typeOf(shape)}') AS payload`;
}

function typeOf(shape: Shape): string {
  const members = Object.entries(shape).map(
    ([name, inner]) => `${name} ${inner === true ? 'String' : typeOf(inner)}`,
  );
  return `Tuple(${members.join(', ')})`;
}

/** The text of the member that is there: each forge has one of these members, and an absent one reads as ''. */
function eitherOf(...members: readonly string[]): string {
  return `concat(${members.map((member) => `payload.${member}`).join(', ')})`;
}

const DEFAULT_BRANCH = eitherOf('repository.default_branch', 'project.default_branch');

const PUSH: Shape = {
  ref: true,
  repository: { default_branch: true, fork: true },
  project: { default_branch: true },
};

const CHANGE: Shape = {
  pull_request: { head: { sha: true, ref: true, repo: { full_name: true } }, base: { ref: true } },
  review: { id: true, user: { login: true } },
  repository: { default_branch: true },
  object_attributes: {
    last_commit: { id: true },
    source: { path_with_namespace: true },
    source_branch: true,
    target_branch: true,
    system_action: true,
  },
  project: { default_branch: true },
};

const CHECK: Shape = {
  check_run: { name: true, app: { slug: true } },
  check_suite: { app: { slug: true } },
  workflow_run: { name: true },
  context: true,
};

/** The part that a short id and the full id of the same commit have in common, so that they can be joined. */
export function joinKey(commit: string): string {
  return `substring(${commit}, 1, 7)`;
}

function fromForge(types: readonly string[], scope: readonly Condition[]): string {
  const ofForge = `source = 'forge' AND type IN (${types.map((type) => `'${type}'`).join(', ')})`;
  return `FROM records\n${where([{ sql: ofForge, params: {} }, ...scope])}`;
}

/**
 * One row per commit that a push brought. `first_branch` is the branch of the first such push. A later push lists the
 * commit again where branches were merged, and does not make it part of the other branch's changes.
 */
export function pushedCommits(scope: readonly Condition[]): string {
  const pushed = fromForge(['change.pushed'], scope);
  const branch = named({
    repository: ['repository', 'String'],
    ref: ['ref', 'String'],
    head: ['head', 'String'],
    pushed_at: ['at', NANOSECONDS],
  });
  return `SELECT
    commit_id,
    argMinIf(${branch}, (at, position), startsWith(ref, 'refs/heads/')) AS first_branch,
    arraySort(groupUniqArrayIf(repository, repository != '')) AS pushed_to,
    arraySort(groupUniqArrayIf(pusher, pusher != '')) AS pushers,
    groupUniqArrayIf(lower(pusher), pusher != '' AND ref != '' AND NOT is_default) AS branch_pushers,
    groupUniqArrayIf(lower(commit_author), commit_author != '') AS commit_authors,
    max(is_default) AS on_default_branch,
    ${idsInLogOrder()} AS push_record_ids
FROM
(
SELECT * EXCEPT payload
FROM
(
SELECT
    arrayJoin(arrayDistinct(arrayConcat([git_commit_id], JSONExtract(content, 'commits', 'Array(String)')))) AS commit_id,
    toString(repository) AS repository, claimed_user AS pusher, ${OBSERVED_AT} AS at, (log, leaf_index) AS position, id,
    ${payloadOf(PUSH)},
    payload.ref AS ref,
    git_commit_id AS head,
    '' AS commit_author,
    ref = concat('refs/heads/', ${DEFAULT_BRANCH}) AND payload.repository.fork != 'true' AS is_default
${pushed}
  AND source_event IN ('push', 'tag_push')
)
UNION ALL
SELECT
    git_commit_id AS commit_id,
    toString(repository) AS repository, claimed_user AS pusher, ${OBSERVED_AT} AS at, (log, leaf_index) AS position, id,
    '' AS ref,
    '' AS head,
    if(target_user != '', target_user, JSONExtractString(content, 'author', 'username')) AS commit_author,
    false AS is_default
${pushed}
  AND source_event IN ('push.commit', 'tag_push.commit')
)
WHERE commit_id != ''
GROUP BY commit_id`;
}

const CHANGE_TYPES = [
  'change.proposed',
  'change.updated',
  'change.reviewed',
  'change.merged',
  'change.closed',
];
/** Records that open or end a change. */
const LIFECYCLE = `type IN ('change.proposed', 'change.merged', 'change.closed')`;
const NAMES_AUTHOR = `(${LIFECYCLE} OR type = 'change.reviewed') AND target_user != ''`;
const IS_REVIEW = `type = 'change.reviewed' AND decision IN ('approved', 'changes_requested', 'dismissed')`;

/** Reviewer of a dismissal that the forge makes by itself, which dismisses the reviews of all. No login reads so. */
export const ALL_REVIEWERS = '*';

const REVIEW = named({
  at: ['at', NANOSECONDS],
  position: ['position', POSITION_TYPE],
  reviewer: ['reviewer', 'String'],
  review_id: ['review_id', 'String'],
  decision: ['toString(decision)', 'String'],
  commit_id: ['git_commit_id', 'String'],
  record_id: ['id', 'String'],
});

/**
 * One row per change, which is a pull request or a merge request; a record that names none is a change by itself. The
 * column `reviews` holds approvals, requests for changes and dismissals, and `JUDGED_REVIEWS` judges them.
 */
export function proposedChanges(scope: readonly Condition[]): string {
  return `SELECT
    change,
    min(change_repository) AS repository,
    minIf(target_user, ${NAMES_AUTHOR}) AS author,
    groupUniqArrayIf(git_commit_id, type != 'change.merged' AND git_commit_id != '') AS heads_seen,
    argMaxIf(head, (at, position), type IN ('change.proposed', 'change.updated', 'change.merged') AND head != '') AS last_head,
    argMinIf(git_commit_id, (at, position), type = 'change.merged' AND git_commit_id != '') AS merge_commit,
    argMaxIf(head_branch, (at, position), head_branch.name != '') AS last_head_branch,
    argMaxIf(base, (at, position), base.branch != '') AS last_base,
    countIf(type = 'change.merged') > 0 AS is_merged,
    minIf(at, type = 'change.merged') AS merged_at,
    argMinIf(claimed_user, (at, position), type = 'change.merged' AND claimed_user != '') AS merged_by,
    argMaxIf(type, (at, position), ${LIFECYCLE}) AS last_lifecycle_type,
    maxIf(at, type IN ('change.merged', 'change.closed')) AS ended_at,
    arraySort(groupArrayIf(${REVIEW}, ${IS_REVIEW})) AS reviews,
    maxIf(received_at, type = 'change.merged') AS merge_received_at,
    ${idsInLogOrder({ onlyIf: LIFECYCLE })} AS lifecycle_record_ids,
    ${idsInLogOrder({ onlyIf: `type = 'change.merged'` })} AS merge_record_ids
FROM
(
SELECT
    if(change_id = '', id, change_id) AS change,
    toString(repository) AS change_repository,
    toString(type) AS type, id, git_commit_id, claimed_user, target_user, decision, received_at, ${OBSERVED_AT} AS at, (log, leaf_index) AS position,
    ${payloadOf(CHANGE)},
    ${eitherOf('pull_request.head.sha', 'object_attributes.last_commit.id')} AS payload_head,
    if(payload_head = '' AND type != 'change.merged', git_commit_id, payload_head) AS head,
    ${named({
      repository: [
        eitherOf('pull_request.head.repo.full_name', 'object_attributes.source.path_with_namespace'),
        'String',
      ],
      name: [eitherOf('pull_request.head.ref', 'object_attributes.source_branch'), 'String'],
    })} AS head_branch,
    ${eitherOf('pull_request.base.ref', 'object_attributes.target_branch')} AS base_branch,
    ${named({ branch: ['base_branch', 'String'], is_default: [`base_branch = ${DEFAULT_BRANCH}`, 'Bool'] })} AS base,
    multiIf(
        payload.object_attributes.system_action = 'approvals_reset_on_push', '${ALL_REVIEWERS}',
        payload.review.user.login != '', payload.review.user.login,
        claimed_user) AS reviewer,
    payload.review.id AS review_id
${fromForge(CHANGE_TYPES, scope)}
)
GROUP BY change`;
}

/** One row per commit that was checked, by the last conclusion of each check. */
export function checkedCommits(scope: readonly Condition[]): string {
  const name = eitherOf(
    'check_run.app.slug',
    'check_run.name',
    'check_suite.app.slug',
    'workflow_run.name',
    'context',
  );
  return `SELECT commit_id, if(countIf(NOT is_last_good) > 0, 'failed', 'passed') AS verdict
FROM
(
SELECT commit_id, argMax(is_good, (at, position)) AS is_last_good
FROM
(
SELECT
    git_commit_id AS commit_id, assumeNotNull(success) AS is_good, ${OBSERVED_AT} AS at, (log, leaf_index) AS position,
    ${payloadOf(CHECK)},
    (splitByChar('.', toString(source_event))[1], ${name}) AS check_name
${fromForge(['change.checked'], scope)}
  AND success IS NOT NULL AND git_commit_id != ''
)
GROUP BY commit_id, check_name
)
GROUP BY commit_id`;
}
