-- Facts of the program's own records: entries of the event log that are missing, by their writer's numbers.
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS writer LowCardinality(String),
    ADD COLUMN IF NOT EXISTS first_number Nullable(UInt64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS last_number Nullable(UInt64) CODEC(ZSTD(1));
