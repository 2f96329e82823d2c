-- name: claim_messages
UPDATE outbox
SET lease_owner = :owner, lease_until = :until, attempts = attempts + 1
WHERE message_id IN (
    SELECT o.message_id
    FROM outbox AS o
    WHERE o.channel = :channel AND o.state = 'waiting' AND o.due_at <= :at
      AND (o.lease_until IS NULL OR o.lease_until <= :at)
      AND NOT EXISTS (
          SELECT 1 FROM outbox AS e WHERE e.channel = o.channel AND e.key = o.key AND e.number < o.number
      )
    ORDER BY o.due_at, o.message_id
    LIMIT :limit
)
RETURNING
    message_id, channel, key, number, kind, order_id, content_sealed, state, attempts, due_at, lease_owner,
    lease_until, last_failure, created_at;

-- name: raise_outbox_number
INSERT INTO outbox_keys (channel, key, last) VALUES (:channel, :key, :count)
ON CONFLICT (channel, key) DO UPDATE SET last = last + excluded.last;

-- name: outbox_number
SELECT channel, key, last FROM outbox_keys WHERE channel = :channel AND key = :key;

-- name: add_message
INSERT INTO outbox (
    message_id, channel, key, number, kind, order_id, content_sealed, state, attempts, due_at, created_at
) VALUES (
    :message_id, :channel, :key, :number, :kind, :order_id, :content_sealed, 'waiting', 0, :created_at, :created_at
);
