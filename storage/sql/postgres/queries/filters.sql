-- name: add_filter_hits
INSERT INTO filter_hits AS f (rule_id, hits, first_at, last_at)
SELECT n.rule_id, n.hits, n.first_at, n.last_at
FROM
    unnest(:rule_id::text[], :hits::bigint[], :first_at::bigint[], :last_at::bigint[])
        AS n (rule_id, hits, first_at, last_at)
ORDER BY n.rule_id COLLATE "C"
ON CONFLICT (rule_id) DO UPDATE SET
    hits = f.hits + excluded.hits,
    first_at = LEAST(f.first_at, excluded.first_at),
    last_at = GREATEST(f.last_at, excluded.last_at);
