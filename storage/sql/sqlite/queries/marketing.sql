-- name: expiring_licenses
SELECT
    l.license_id, l.ticket_id, l.item_number, l.version, json_extract(l.options, '$.expiration_time') AS expiration_time,
    s.name AS shop, o.order_id, o.order_number, o.customer_sealed
FROM licenses AS l
JOIN orders AS first ON first.order_id = l.order_id
JOIN shops AS s ON s.shop_id = first.shop_id
LEFT JOIN orders AS o ON o.order_id = (
    SELECT max(x.order_id) FROM orders AS x WHERE x.ticket_id = l.ticket_id AND x.customer_sealed IS NOT NULL
)
WHERE l.license_id > :after AND l.license_id <= :last AND l.extends_license_id IS NULL AND NOT l.withdrawn
  AND json_extract(l.options, '$.expiration_time') > :earliest
  AND json_extract(l.options, '$.expiration_time') <= :latest
ORDER BY l.license_id;
