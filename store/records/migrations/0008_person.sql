-- The person of a record: a part with a column for its text and one for its secret. Its members have columns already.
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS person String CODEC(ZSTD(3)) AFTER facts_secret;
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS person_secret String CODEC(ZSTD(1)) AFTER person;
