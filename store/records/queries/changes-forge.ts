/** What the forge told of commits, changes and checks, as sub-queries: one row per commit, per change, per head. */
import { where, type Condition } from './conditions.ts';

/** The source's clock where it gave one: forges do. */
const AT = `coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC'))`;

/** Members of a payload, as text: names, or names with members of their own. */
type Shape = { readonly [name: string]: true | Shape };

/** Reads a payload once for all its members: parsing it anew for each takes most of the time of a question. */
function toldBy(shape: Shape): string {
  return `JSONExtract(content, '${typeOf(shape)}') AS told`;
}

function typeOf(shape: Shape): string {
  const members = Object.entries(shape).map(
    ([name, inner]) => `${name} ${inner === true ? 'String' : typeOf(inner)}`,
  );
  return `Tuple(${members.join(', ')})`;
}

/** Members that only one of the forges has; the other's reads as ''. */
function either(...members: readonly string[]): string {
  return `concat(${members.map((member) => `told.${member}`).join(', ')})`;
}

const DEFAULT_BRANCH = either('repository.default_branch', 'project.default_branch');

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

/** What a short id and a full one of the same commit share, so that they can be joined. */
export function joinKey(commit: string): string {
  return `substring(${commit}, 1, 7)`;
}

function fromForge(types: readonly string[], scope: readonly Condition[]): string {
  const ofForge = `source = 'forge' AND type IN (${types.map((type) => `'${type}'`).join(', ')})`;
  return `FROM records\n${where([{ sql: ofForge, params: {} }, ...scope])}`;
}

/**
 * One row per commit that a push brought. `first_branch` is where it was seen first: a later push that lists it again,
 * because branches were merged, does not make it part of the other branch's changes.
 */
export function pushedCommits(scope: readonly Condition[]): string {
  const pushed = fromForge(['change.pushed'], scope);
  return `SELECT
    commit_id,
    argMinIf((repository, ref, head, at), (at, position), startsWith(ref, 'refs/heads/')) AS first_branch,
    arraySort(groupUniqArrayIf(repository, repository != '')) AS pushed_to,
    arraySort(groupUniqArrayIf(pusher, pusher != '')) AS pushers,
    groupUniqArrayIf(lower(pusher), pusher != '' AND ref != '' AND NOT is_default) AS branch_pushers,
    groupUniqArrayIf(lower(commit_author), commit_author != '') AS commit_authors,
    max(is_default) AS on_default_branch,
    arrayMap(place -> place.2, arraySort(groupUniqArray((position, id)))) AS push_record_ids
FROM
(
SELECT * EXCEPT told
FROM
(
SELECT
    arrayJoin(arrayDistinct(arrayConcat([git_commit_id], JSONExtract(content, 'commits', 'Array(String)')))) AS commit_id,
    toString(repository) AS repository, claimed_user AS pusher, ${AT} AS at, (log, leaf_index) AS position, id,
    ${toldBy(PUSH)},
    told.ref AS ref,
    git_commit_id AS head,
    '' AS commit_author,
    ref = concat('refs/heads/', ${DEFAULT_BRANCH}) AND told.repository.fork != 'true' AS is_default
${pushed}
  AND source_event IN ('push', 'tag_push')
)
UNION ALL
SELECT
    git_commit_id AS commit_id,
    toString(repository) AS repository, claimed_user AS pusher, ${AT} AS at, (log, leaf_index) AS position, id,
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
const TURNS = `type IN ('change.proposed', 'change.merged', 'change.closed')`;
const OF_AUTHOR = `(${TURNS} OR type = 'change.reviewed') AND target_user != ''`;
const OPINIONS = `type = 'change.reviewed' AND decision IN ('approved', 'changes_requested', 'dismissed')`;
const IDS = (condition: string): string =>
  `arrayMap(place -> place.2, arraySort(groupArrayIf((position, id), ${condition})))`;

/** Stands for all reviewers in a dismissal that the forge makes by itself; no login reads so. */
export const EVERYBODY = '*';

/**
 * One row per change, that is a pull request or merge request; a record that names none stands alone. What its reviews
 * came to is in `opinions`, for `STANDING_APPROVALS` to judge.
 */
export function proposedChanges(scope: readonly Condition[]): string {
  return `SELECT
    change,
    min(change_repository) AS repository,
    minIf(target_user, ${OF_AUTHOR}) AS author,
    groupUniqArrayIf(git_commit_id, type != 'change.merged' AND git_commit_id != '') AS heads_seen,
    argMaxIf(head, (at, position), type IN ('change.proposed', 'change.updated', 'change.merged') AND head != '') AS last_head,
    argMinIf(git_commit_id, (at, position), type = 'change.merged' AND git_commit_id != '') AS merge_commit,
    argMaxIf(head_branch, (at, position), head_branch.2 != '') AS last_head_branch,
    argMaxIf(base, (at, position), base.1 != '') AS last_base,
    countIf(type = 'change.merged') > 0 AS is_merged,
    minIf(at, type = 'change.merged') AS merged_at,
    argMinIf(claimed_user, (at, position), type = 'change.merged' AND claimed_user != '') AS merged_by,
    argMaxIf(type, (at, position), ${TURNS}) AS last_turn,
    maxIf(at, type IN ('change.merged', 'change.closed')) AS ended_at,
    arraySort(groupArrayIf((at, position, reviewer, review_id, toString(decision), git_commit_id, id), ${OPINIONS})) AS opinions,
    maxIf(received_at, type = 'change.merged') AS merge_received_at,
    ${IDS(TURNS)} AS turn_record_ids,
    ${IDS(`type = 'change.merged'`)} AS merge_record_ids
FROM
(
SELECT
    if(change_id = '', id, change_id) AS change,
    toString(repository) AS change_repository,
    toString(type) AS type, id, git_commit_id, claimed_user, target_user, decision, received_at, ${AT} AS at, (log, leaf_index) AS position,
    ${toldBy(CHANGE)},
    ${either('pull_request.head.sha', 'object_attributes.last_commit.id')} AS told_head,
    if(told_head = '' AND type != 'change.merged', git_commit_id, told_head) AS head,
    (
        ${either('pull_request.head.repo.full_name', 'object_attributes.source.path_with_namespace')},
        ${either('pull_request.head.ref', 'object_attributes.source_branch')}
    ) AS head_branch,
    ${either('pull_request.base.ref', 'object_attributes.target_branch')} AS base_branch,
    (base_branch, base_branch = ${DEFAULT_BRANCH}) AS base,
    multiIf(
        told.object_attributes.system_action = 'approvals_reset_on_push', '${EVERYBODY}',
        told.review.user.login != '', told.review.user.login,
        claimed_user) AS reviewer,
    told.review.id AS review_id
${fromForge(CHANGE_TYPES, scope)}
)
GROUP BY change`;
}

/** One row per commit that was checked: of each check what it said last. */
export function checkedCommits(scope: readonly Condition[]): string {
  const name = either(
    'check_run.app.slug',
    'check_run.name',
    'check_suite.app.slug',
    'workflow_run.name',
    'context',
  );
  return `SELECT commit_id, if(countIf(NOT verdict) > 0, 'failed', 'passed') AS verdict
FROM
(
SELECT commit_id, argMax(is_good, place) AS verdict
FROM
(
SELECT
    git_commit_id AS commit_id, assumeNotNull(success) AS is_good, (${AT}, log, leaf_index) AS place,
    ${toldBy(CHECK)},
    (splitByChar('.', toString(source_event))[1], ${name}) AS check_name
${fromForge(['change.checked'], scope)}
  AND success IS NOT NULL AND git_commit_id != ''
)
GROUP BY commit_id, check_name
)
GROUP BY commit_id`;
}
