-- redacted_count
-- {"secret_types":["aws_access_key_id","aws_secret_access_key","github_token","gitlab_token","slack_token","slack_webhook","stripe_key","anthropic_key","openai_key","google_api_key","gcp_private_key","npm_token","pypi_token","sendgrid_key","twilio_key","azure_storage_key","jwt","private_key","url_password","authorization","labelled_secret"],"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT count() AS record_count
FROM records
WHERE hasAny(data_classes, {secret_types: Array(String)})
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
