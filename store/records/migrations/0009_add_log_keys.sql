-- Facts of the program's own records: the keys between which a log changes.
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS old_vkey String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS new_vkey String CODEC(ZSTD(1));
