-- A fact of the program's own records: the key of packages behind a change of the log's key.
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS new_package_key String CODEC(ZSTD(1));
