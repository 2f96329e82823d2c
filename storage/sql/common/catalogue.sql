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
INSERT INTO shops (shop_id, name, active, created_at, rights, access_policy, sales_policy, depot_policy)
VALUES (:shop_id, :name, :active, :created_at, :rights, :older_policy, :access_policy, :depot_policy)
ON CONFLICT (name) DO NOTHING;

-- name: add_credential
INSERT INTO credentials (
    credential_id, shop_id, kind, lookup, created_at, label, sealed, material, valid_from, valid_until
)
VALUES (
    :credential_id, :shop_id, :kind, :lookup, :created_at, :label, :sealed, :material, :valid_from, :valid_until
)
ON CONFLICT (lookup) DO NOTHING;

-- name: shop_by_credential
SELECT
    s.shop_id, s.name, s.active, s.created_at, s.rights, s.depot_policy,
    COALESCE(s.sales_policy, s.access_policy) AS access_policy
FROM credentials AS c
JOIN shops AS s ON s.shop_id = c.shop_id
WHERE c.lookup = :lookup AND c.revoked_at IS NULL AND s.active;

-- name: shop_by_name
SELECT
    shop_id, name, active, created_at, rights, depot_policy, COALESCE(sales_policy, access_policy) AS access_policy
FROM shops
WHERE name = :name;

-- name: identity
SELECT
    c.credential_id, c.shop_id, c.kind, c.lookup, c.created_at AS added_at, c.label, c.sealed, c.material,
    c.valid_from, c.valid_until, c.revoked_at, s.name, s.active, s.created_at, s.rights, s.depot_policy,
    COALESCE(s.sales_policy, s.access_policy) AS access_policy
FROM credentials AS c
JOIN shops AS s ON s.shop_id = c.shop_id
WHERE c.lookup = :lookup AND c.revoked_at IS NULL AND s.active;

-- name: credentials_of_shop
SELECT
    credential_id, shop_id, kind, lookup, created_at AS added_at, label, sealed, material, valid_from, valid_until,
    revoked_at
FROM credentials
WHERE shop_id = :shop_id
ORDER BY credential_id;

-- name: certificates_of_active_shops
SELECT
    c.credential_id, c.shop_id, c.kind, c.lookup, c.created_at AS added_at, c.label, c.sealed, c.material,
    c.valid_from, c.valid_until, c.revoked_at
FROM credentials AS c
JOIN shops AS s ON s.shop_id = c.shop_id
WHERE c.kind IN ('certificate', 'authority') AND c.revoked_at IS NULL AND s.active
ORDER BY c.credential_id;

-- name: revoke_credential
UPDATE credentials SET revoked_at = :at
WHERE credential_id = :credential_id AND shop_id = :shop_id AND revoked_at IS NULL;

-- name: end_credential
UPDATE credentials SET valid_until = CAST(:until AS BIGINT)
WHERE
    credential_id = :credential_id AND shop_id = :shop_id AND revoked_at IS NULL
    AND (valid_until IS NULL OR valid_until > CAST(:until AS BIGINT));

-- name: set_shop_active
UPDATE shops SET active = :active WHERE name = :name;

-- name: set_rights
UPDATE shops SET rights = :rights WHERE name = :name;
