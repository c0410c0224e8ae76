-- A fact of the program's own records: since when entries that are missing may have been received. The text of the
-- facts as it is, because few records have it.
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS missing_since String CODEC(ZSTD(1));

-- A loss counts in periods before its record, so the period of a question does not bound where its record lies. Records
-- of losses are rare: a filter per block finds them without a walk over all later rows.
ALTER TABLE records{{on_cluster}}
    ADD INDEX IF NOT EXISTS type_filter type TYPE bloom_filter(0.01) GRANULARITY 1;
