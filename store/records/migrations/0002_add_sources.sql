-- Facts of gateways, forges, identity feeds, collectors and the classifier.
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS gateway LowCardinality(String),
    ADD COLUMN IF NOT EXISTS provider LowCardinality(String),
    ADD COLUMN IF NOT EXISTS virtual_key String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS policy_outcome LowCardinality(String),
    ADD COLUMN IF NOT EXISTS repository LowCardinality(String),
    ADD COLUMN IF NOT EXISTS change_id String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS target_user String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS collector_boot_id String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS collector_sequence Nullable(UInt64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS data_classes Array(LowCardinality(String)) CODEC(ZSTD(1));
