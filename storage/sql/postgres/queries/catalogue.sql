-- name: items_by_number
SELECT item_number, firm_code, product_code, options, rules, active, created_at
FROM items
WHERE item_number = ANY (:item_numbers::text[])
ORDER BY item_number;
