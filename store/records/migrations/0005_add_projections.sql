-- The version of the program's code that filled each projection of this store. A projection without a note is of
-- version 1.
CREATE TABLE IF NOT EXISTS projection_versions{{on_cluster}}
(
    name String,
    version UInt32,
    noted_at DateTime64(3, 'UTC')
)
ENGINE = {{merge_tree}}
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The first 40 bits of an id, from which seen ids are filled and searched. A search for a thousand ids looks at nearly
-- every block, because the filter of each block lets one id in a hundred through by chance. Five bytes a row are read much
-- faster than whole ids. Rows that are older than the column have it computed when they are read.
ALTER TABLE records{{on_cluster}}
    ADD COLUMN IF NOT EXISTS id_bits UInt64 MATERIALIZED reinterpretAsUInt64(reverse(unhex(substring(id, 1, 10))))
        CODEC(T64, LZ4);
