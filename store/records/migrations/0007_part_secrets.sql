-- A row keeps the secret of the payload object that its part lies in, and no salt of its own: the salt follows from
-- secret, index and name (docs/formats/archive.md). One secret serves many rows, so the column compresses to nothing.
ALTER TABLE records{{on_cluster}} RENAME COLUMN IF EXISTS facts_salt TO facts_secret;
ALTER TABLE records{{on_cluster}} RENAME COLUMN IF EXISTS content_salt TO content_secret;
