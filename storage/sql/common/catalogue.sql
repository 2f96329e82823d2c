-- name: add_item
INSERT INTO items (item_number, firm_code, product_code, options, rules, active, created_at)
VALUES (:item_number, :firm_code, :product_code, :options, :rules, :active, :created_at)
ON CONFLICT (item_number) DO NOTHING;

-- name: change_item
UPDATE items SET options = :options, rules = :rules, active = :active
WHERE item_number = :item_number AND options = :before_options AND rules = :before_rules AND active = :before_active;

-- name: item
SELECT item_number, firm_code, product_code, options, rules, active, created_at
FROM items
WHERE item_number = :item_number;

-- name: active_items_after
SELECT item_number, firm_code, product_code, options, rules, active, created_at
FROM items
WHERE item_number > :after AND active
ORDER BY item_number
LIMIT :limit;

-- name: add_shop
INSERT INTO shops (shop_id, name, active, created_at, rights, access_policy)
VALUES (:shop_id, :name, :active, :created_at, :rights, :access_policy)
ON CONFLICT (name) DO NOTHING;

-- name: add_credential
INSERT INTO credentials (credential_id, shop_id, kind, lookup, created_at)
VALUES (:credential_id, :shop_id, :kind, :lookup, :created_at);

-- name: shop_by_credential
SELECT s.shop_id, s.name, s.active, s.created_at, s.rights, s.access_policy
FROM credentials AS c
JOIN shops AS s ON s.shop_id = c.shop_id
WHERE c.lookup = :lookup AND c.revoked_at IS NULL AND s.active;

-- name: set_rights
UPDATE shops SET rights = :rights WHERE name = :name;
