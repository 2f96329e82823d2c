-- name: claim_messages
WITH due AS MATERIALIZED (
    SELECT o.message_id
    FROM outbox AS o
    WHERE o.channel = :channel AND o.state = 'waiting' AND o.due_at <= :at
      AND (o.lease_until IS NULL OR o.lease_until <= :at)
      AND NOT EXISTS (
          SELECT 1 FROM outbox AS e WHERE e.channel = o.channel AND e.key = o.key AND e.number < o.number
      )
    ORDER BY o.due_at, o.message_id
    LIMIT :limit
    FOR UPDATE OF o SKIP LOCKED
)
UPDATE outbox AS m
SET lease_owner = :owner, lease_until = :until, attempts = m.attempts + 1
FROM due
WHERE m.message_id = due.message_id
RETURNING
    m.message_id, m.channel, m.key, m.number, m.kind, m.order_id, m.content_sealed, m.state, m.attempts, m.due_at,
    m.lease_owner, m.lease_until, m.last_failure, m.created_at;

-- name: raise_outbox_number
INSERT INTO outbox_keys AS k (channel, key, last)
SELECT n.channel, n.key, n.count
FROM unnest(:channel::text[], :key::text[], :count::bigint[]) AS n (channel, key, count)
ORDER BY n.channel COLLATE "C", n.key COLLATE "C"
ON CONFLICT (channel, key) DO UPDATE SET last = k.last + excluded.last;

-- name: outbox_number
SELECT k.channel, k.key, k.last
FROM unnest(:channel::text[], :key::text[]) WITH ORDINALITY AS n (channel, key, position)
JOIN outbox_keys AS k ON k.channel = n.channel AND k.key = n.key
ORDER BY n.position;

-- name: add_message
INSERT INTO outbox (
    message_id, channel, key, number, kind, order_id, content_sealed, state, attempts, due_at, created_at
)
SELECT
    n.message_id, n.channel, n.key, n.number, n.kind, n.order_id, n.content_sealed, 'waiting', 0, n.created_at,
    n.created_at
FROM unnest(
    :message_id::text[], :channel::text[], :key::text[], :number::bigint[], :kind::text[], :order_id::text[],
    :content_sealed::bytea[], :created_at::bigint[]
) AS n (message_id, channel, key, number, kind, order_id, content_sealed, created_at);
