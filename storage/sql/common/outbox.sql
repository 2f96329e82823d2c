-- name: settle_delivered
DELETE FROM outbox WHERE message_id = :message_id AND lease_owner = :owner AND lease_until = :until
  AND attempts = :attempts;

-- name: settle_failed
UPDATE outbox
SET state = :state, due_at = :due_at, last_failure = :failure, lease_owner = NULL, lease_until = NULL
WHERE message_id = :message_id AND lease_owner = :owner AND lease_until = :until
  AND attempts = :attempts;

-- name: retry_message
UPDATE outbox
SET state = 'waiting', attempts = 0, due_at = :at
WHERE message_id = coalesce(CAST(:message_id AS TEXT), message_id)
  AND (state = 'dead' OR (CAST(:message_id AS TEXT) IS NOT NULL AND lease_owner IS NULL));

-- name: drop_message
DELETE FROM outbox WHERE message_id = :message_id AND (lease_until IS NULL OR lease_until <= :at);

-- name: outbox_due
SELECT message_id
FROM outbox AS o
WHERE o.channel = :channel AND o.state = 'waiting' AND o.due_at <= :at
  AND (o.lease_until IS NULL OR o.lease_until <= :at)
  AND NOT EXISTS (
      SELECT 1 FROM outbox AS e WHERE e.channel = o.channel AND e.key = o.key AND e.number < o.number
  )
LIMIT 1;

-- name: outbox_counts
SELECT state, count(*) AS messages, min(created_at) AS oldest_at
FROM (SELECT state, created_at FROM outbox WHERE channel = :channel LIMIT :most) AS counted
GROUP BY state;

-- name: outbox_messages
SELECT
    message_id, channel, key, number, kind, order_id, content_sealed, state, attempts, due_at, lease_owner,
    lease_until, last_failure, created_at
FROM outbox
WHERE state = coalesce(CAST(:state AS TEXT), state)
ORDER BY channel, key, number
LIMIT :limit;
