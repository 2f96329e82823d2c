-- name: audit_chain_broken
SELECT 'position ' || c.position AS subject
FROM audit_chain AS c
WHERE NOT EXISTS (SELECT 1 FROM audit AS a WHERE a.audit_id = c.audit_id)
UNION ALL
SELECT 'head ' || h.position AS subject
FROM audit_head AS h
WHERE h.position <> (SELECT count(*) FROM audit_chain);

-- name: outbox_row_lost
SELECT o.message_id AS subject
FROM outbox AS o
WHERE NOT EXISTS (
    SELECT 1 FROM outbox_keys AS k WHERE k.channel = o.channel AND k.key = o.key AND k.last >= o.number
);
