-- One row per leaf of a log: the projection that answers questions. The archive holds the truth; this table can be
-- emptied and rebuilt from it. Statements must be safe to run again, because a crash may fall between a statement
-- and the note in schema_migrations that it ran.
CREATE TABLE IF NOT EXISTS records{{on_cluster}}
(
    -- Place in the log. Indexes rise by one, so Delta turns them into a run of ones that ZSTD folds to nothing.
    log LowCardinality(String),
    leaf_index UInt64 CODEC(Delta, ZSTD(1)),

    -- Hex of random bytes: entropy coding halves it, no dictionary helps, so the cheapest ZSTD level is enough.
    leaf_hash String CODEC(ZSTD(1)),
    chain_hash String CODEC(ZSTD(1)),
    leaf String CODEC(ZSTD(3)),

    id String CODEC(ZSTD(1)),
    type LowCardinality(String),
    source LowCardinality(String),
    principal LowCardinality(String),
    subject String CODEC(ZSTD(1)),
    retention_class LowCardinality(String),

    -- Our own clocks have millisecond precision and nearly rise with the log: DoubleDelta leaves a few bits.
    received_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    integrated_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),

    -- Canonical JSON kept byte for byte: what is stored is what was hashed. Text compresses well at level 3.
    facts String CODEC(ZSTD(3)),
    facts_salt String CODEC(ZSTD(1)),
    content String CODEC(ZSTD(3)),
    content_salt String CODEC(ZSTD(1)),

    -- Members of facts under their own names. Absent text is '', because an empty name says as little as no name;
    -- absent numbers and flags are NULL, because zero and false are statements. Few distinct values: LowCardinality.
    -- The source's clock may be absent, or outside what the type can hold; then it is NULL here and stands in facts.
    source_event LowCardinality(String),
    occurred_at Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    collector LowCardinality(String),
    claimed_user String CODEC(ZSTD(1)),
    claimed_user_source LowCardinality(String),
    install_id String CODEC(ZSTD(1)),
    organization_id LowCardinality(String),
    department LowCardinality(String),
    team_id LowCardinality(String),
    session_id String CODEC(ZSTD(1)),
    prompt_id String CODEC(ZSTD(1)),
    tool_use_id String CODEC(ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    message_id String CODEC(ZSTD(1)),
    agent_id String CODEC(ZSTD(1)),
    agent_type LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    tool_name LowCardinality(String),
    mcp_server LowCardinality(String),
    file_path String CODEC(ZSTD(1)),
    git_commit_id String CODEC(ZSTD(1)),
    decision LowCardinality(String),
    decision_source LowCardinality(String),
    permission_mode LowCardinality(String),
    success Nullable(Bool),
    told LowCardinality(String),
    error_type LowCardinality(String),
    duration_ms Nullable(UInt64) CODEC(ZSTD(1)),
    event_sequence Nullable(UInt64) CODEC(Delta, ZSTD(1)),
    model LowCardinality(String),
    input_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    output_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    cache_read_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    cache_creation_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    cost_usd_micros Nullable(UInt64) CODEC(ZSTD(1)),
    input_size_bytes Nullable(UInt64) CODEC(ZSTD(1)),
    result_size_bytes Nullable(UInt64) CODEC(ZSTD(1)),
    metric_name LowCardinality(String),
    metric_value String CODEC(ZSTD(1)),
    hook_event LowCardinality(String),
    hook_source LowCardinality(String),
    hook_blocking_count Nullable(UInt64) CODEC(ZSTD(1)),
    hook_error_count Nullable(UInt64) CODEC(ZSTD(1)),
    app_version LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    quarantine_reason LowCardinality(String),
    quarantine_pointer String CODEC(ZSTD(1)),
    body_sha256 String CODEC(ZSTD(1)),
    synthetic Nullable(Bool),

    -- Periods are half-open on received_at, which almost follows the sort key, so block bounds cut almost all of it.
    INDEX received_at_bounds received_at TYPE minmax GRANULARITY 1,
    INDEX occurred_at_bounds occurred_at TYPE minmax GRANULARITY 1,

    -- A session, a call or a record lies in few neighbouring blocks of a long log; a filter per block finds them.
    INDEX id_filter id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX session_filter session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX tool_use_filter tool_use_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX request_filter request_id TYPE bloom_filter(0.01) GRANULARITY 1,

    -- Words of the content, whatever their case. JSON escapes become blanks first, or a word after a line break
    -- would be stored with the n of its escape in front and could not be found.
    INDEX content_words content TYPE text(
        tokenizer = splitByNonAlpha,
        preprocessor = lowerUTF8(replaceRegexpAll(content, '\\\\(u[0-9a-f]{4}|.)', ' '))
    )
)
-- Append-only truth: no engine that drops rows when it merges.
ENGINE = {{merge_tree}}
-- Month of our own clock and retention class: one bundle falls into one partition per class, which makes its insert
-- atomic, and a purge drops whole partitions.
PARTITION BY (toYYYYMM(integrated_at), retention_class)
-- The order of the log is the order of arrival: inserts need no sorting, proofs read a range, lists page by position.
ORDER BY (log, leaf_index)
SETTINGS
    -- Off by default without replication; the token of an insert is remembered in this window.
    non_replicated_deduplication_window = 10000,
    -- Durable on return, against power loss too.
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    -- Lightweight updates, which erasure will need, cannot be enabled afterwards.
    enable_block_number_column = 1,
    enable_block_offset_column = 1;
