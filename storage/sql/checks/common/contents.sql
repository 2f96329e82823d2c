-- name: tickets_to_open
SELECT ticket_id, lookup, sealed FROM tickets ORDER BY ticket_id;

-- name: orders_with_answers
SELECT o.order_id, a.answer_sealed, t.sealed, coalesce(l.extends_license_id, l.license_id) AS license_id,
    l.item_number, l.quantity,
    EXISTS (
        SELECT 1 FROM audit AS x
        WHERE x.subject IN (l.license_id, l.order_id, l.ticket_id) AND x.action <> 'CreateOrder'
    ) OR EXISTS (SELECT 1 FROM licenses AS r WHERE r.extends_license_id = l.license_id) AS changed
FROM orders AS o
JOIN answers AS a ON a.shop_id = o.shop_id AND a.transaction_id = o.transaction_id AND a.operation = 'CreateOrder'
JOIN tickets AS t ON t.ticket_id = o.ticket_id
LEFT JOIN licenses AS l ON l.order_id = o.order_id
WHERE a.answer_sealed IS NOT NULL
ORDER BY o.order_id, l.line_number;

-- name: steps_in_order
SELECT serial, firm_code, epoch, number, from_epoch, from_number, kind, digest_before, digest_after, state_after,
    content, signed
FROM steps
ORDER BY serial, firm_code, epoch, number;

-- name: containers_in_order
SELECT serial, firm_code, confirmed_epoch, confirmed_number, confirmed_state
FROM containers
WHERE mark IN ('ok', 'marked')
ORDER BY serial, firm_code;

-- name: states_after_confirmed
SELECT state_after
FROM steps
WHERE serial = :serial AND firm_code = :firm_code AND (epoch, number) > (:epoch, :number)
ORDER BY epoch, number;

-- name: placements_in_container
SELECT p.license_id, p.occupied, p.confirmed
FROM placements AS p
JOIN licenses AS l ON l.license_id = p.license_id
WHERE p.serial = :serial AND l.firm_code = :firm_code
ORDER BY p.license_id;
