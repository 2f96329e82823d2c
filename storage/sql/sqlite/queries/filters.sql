-- name: add_filter_hits
INSERT INTO filter_hits (rule_id, hits, first_at, last_at) VALUES (:rule_id, :hits, :first_at, :last_at)
ON CONFLICT (rule_id) DO UPDATE SET
    hits = hits + excluded.hits,
    first_at = MIN(first_at, excluded.first_at),
    last_at = MAX(last_at, excluded.last_at);
