-- name: use_marks
INSERT INTO used_marks (mark, until_at)
SELECT mark, until_at FROM unnest(:mark::BYTEA[], :until::BIGINT[]) AS fresh (mark, until_at) ORDER BY mark
ON CONFLICT DO NOTHING
RETURNING mark;
