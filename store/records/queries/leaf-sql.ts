/**
 * The leaf of a row, made of its columns in SQL. The table holds no leaf: one that stands in it, or that the engine makes by a
 * definition in it, could say something else than the columns that populations are drawn from. Pure.
 */

/**
 * Canonical JSON of the leaf (`Leaf` in schemas/leaf.ts). RFC 8785 asks for no escape here: each member is of a pattern without
 * quotation marks, backslashes and controls.
 */
export const LEAF_SQL = `concat('{"id":"', id, '","parts":[', if(content_digest = '', '', concat('{"digest":"', content_digest, '","name":"content"},')), '{"digest":"', facts_digest, '","name":"facts"}', if(person_digest = '', '', concat(',{"digest":"', person_digest, '","name":"person"}')), '],"principal":"', principal, '","received_at":"', replaceOne(toString(received_at), ' ', 'T'), 'Z","retention_class":"', retention_class, '","source":"', source, '","subject":', if(subject = '', 'null', concat('"', subject, '"')), ',"type":"', type, '","v":1}')`;

/** RFC 6962 section 2.1, hex: the hash of a leaf has a zero byte in front. */
export const LEAF_HASH_SQL = `lower(hex(SHA256(concat(unhex('00'), ${LEAF_SQL}))))`;
