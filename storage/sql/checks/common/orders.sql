-- name: ticket_lookup_repeated
SELECT min(ticket_id) AS subject FROM tickets GROUP BY lookup HAVING count(*) > 1;

-- name: ticket_without_order
SELECT t.ticket_id AS subject
FROM tickets AS t
WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.ticket_id = t.ticket_id);

-- name: order_without_answer
SELECT o.order_id AS subject
FROM orders AS o
WHERE NOT EXISTS (
    SELECT 1 FROM answers AS a
    WHERE a.shop_id = o.shop_id AND a.operation IN ('CreateOrder', 'CreateOrders') AND a.transaction_id = o.transaction_id
);

-- name: answer_without_order
SELECT a.shop_id || ' ' || a.transaction_id AS subject
FROM answers AS a
WHERE a.operation = 'CreateOrder'
  AND NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.shop_id = a.shop_id AND o.transaction_id = a.transaction_id);

-- name: order_without_line
SELECT o.order_id AS subject
FROM orders AS o
LEFT JOIN licenses AS l ON l.order_id = o.order_id
GROUP BY o.order_id
HAVING count(l.license_id) = 0 OR count(l.license_id) <> max(l.line_number);

-- name: transaction_repeated
SELECT min(order_id) AS subject FROM orders GROUP BY shop_id, transaction_id HAVING count(*) > 1;

-- name: answer_repeated
SELECT min(shop_id) || ' ' || min(transaction_id) AS subject
FROM answers
GROUP BY shop_id, operation, transaction_id
HAVING count(*) > 1;

-- name: order_number_repeated
SELECT min(order_id) AS subject
FROM orders
WHERE order_number IS NOT NULL
GROUP BY shop_id, order_number
HAVING count(*) > 1;

-- name: license_on_other_ticket
SELECT l.license_id AS subject
FROM licenses AS l
JOIN orders AS o ON o.order_id = l.order_id
WHERE l.ticket_id <> o.ticket_id;

-- name: license_extends_other_ticket
SELECT l.license_id AS subject
FROM licenses AS l
JOIN licenses AS e ON e.license_id = l.extends_license_id
WHERE e.ticket_id <> l.ticket_id;

-- name: order_without_audit
SELECT o.order_id AS subject
FROM orders AS o
WHERE NOT EXISTS (SELECT 1 FROM audit AS a WHERE a.subject = o.order_id);

-- name: item_without_audit
SELECT i.item_number AS subject
FROM items AS i
WHERE NOT EXISTS (SELECT 1 FROM audit AS a WHERE a.subject = i.item_number);

-- name: shop_without_audit
SELECT s.shop_id AS subject
FROM shops AS s
WHERE NOT EXISTS (SELECT 1 FROM audit AS a WHERE a.subject IN (s.shop_id, s.name));
