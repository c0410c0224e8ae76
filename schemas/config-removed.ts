/** Keys that earlier versions had. A configuration that still names one gets an error that says what holds now. */

/** By dotted path of the key. */
export const REMOVED_KEYS: Readonly<Record<string, string>> = {
  'ingest.max_backlog_envelopes':
    'was removed: 5000000 requests may wait, and ingest.max_backlog_bytes bounds their bytes',
  'ingest.max_backlog_per_collector_percent':
    'was removed: one collector may fill 80 percent of ingest.max_backlog_bytes',
  'ingest.max_in_flight_per_collector_bytes':
    'was removed: the unanswered requests of one collector may hold twice ingest.max_inflated_bytes',
  'ingest.max_requests_in_flight_per_collector':
    'was removed: one collector may have 1024 unanswered requests',
  'ingest.webhook_secrets': 'was removed: write the secrets into webhook-secrets.json in the keys folder',
  'sequencer.max_batch_envelopes': 'was removed: a bundle holds at most 5000 requests',
  'sequencer.max_batch_bytes': 'was removed: a bundle holds at most 4 MiB of requests, or one larger request',
  'store.retention_days':
    'was renamed: set retention.proof.archive_days, and archive_days of the classes facts, person and admin',
  'store.content_retention_days':
    'was renamed: set retention.content.archive_days, and retention.file.archive_days for text of files',
  'store.max_query_rows':
    'was removed: one query may read 1000000000 rows, and store.max_query_ms bounds its time',
  'kafka.session_timeout_ms':
    'was removed: the partitions of a sequencer go to others after 30 seconds of silence',
  's3.single_sequencer': 'was renamed: set s3.dangerously_single_sequencer',
};
