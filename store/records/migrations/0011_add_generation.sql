-- Facts of the program's own records: the log that a log continues under new keys.
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS generation Nullable(UInt64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS previous_origin String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS trusted_tree_size Nullable(UInt64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS trusted_root_hash String CODEC(ZSTD(1));
