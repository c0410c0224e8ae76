/** The reason why an item is kept as a record of type `quarantined`. A closed list: docs/formats/record.md explains each. */
export type QuarantineReason =
  | 'json_too_deep'
  | 'json_duplicate_key'
  | 'json_lone_surrogate'
  | 'json_inexact_number'
  | 'item_shape_invalid'
  | 'body_expands_too_large'
  | 'body_undecodable';
