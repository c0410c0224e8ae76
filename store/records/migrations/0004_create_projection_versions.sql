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
