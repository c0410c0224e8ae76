-- A leaf is canonical JSON of columns that are there anyway and of the digests of the parts. Kept as text it took half of
-- the table. Queries make it of the columns (store/records/queries/leaf-sql.ts), and never of a definition in the table, which an
-- editor of the table could edit too.
-- Rows of an earlier version lack the digests; the version of the projection has them derived again.
ALTER TABLE records{{on_cluster}} DROP COLUMN IF EXISTS leaf_hash, DROP COLUMN IF EXISTS leaf;
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS facts_digest String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS person_digest String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS content_digest String CODEC(ZSTD(1));
