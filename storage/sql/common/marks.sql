-- name: use_mark
INSERT INTO used_marks (mark, until_at) VALUES (:mark, :until) ON CONFLICT DO NOTHING;

-- name: forget_marks
DELETE FROM used_marks
WHERE mark IN (SELECT mark FROM used_marks WHERE until_at < :at ORDER BY until_at LIMIT :limit);
