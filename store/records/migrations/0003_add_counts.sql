-- Facts of the program's own records: counts of one bundle, and the event log that they were read from.
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS envelope_count Nullable(UInt64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS repeat_count Nullable(UInt64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS dead_letter_count Nullable(UInt64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS event_log LowCardinality(String),
    ADD COLUMN IF NOT EXISTS previous_event_log LowCardinality(String);
