-- name: add_filter_document
INSERT INTO filter_documents (version, rules, author, written_at, comment, diff)
SELECT
    CAST(:version AS BIGINT), CAST(:rules AS TEXT), CAST(:author AS TEXT), CAST(:written_at AS BIGINT),
    CAST(:comment AS TEXT), CAST(:diff AS TEXT)
WHERE (SELECT COALESCE(MAX(version), 0) FROM filter_documents) = CAST(:version AS BIGINT) - 1;

-- name: newest_filter_document
SELECT version, rules, author, written_at, comment, diff FROM filter_documents ORDER BY version DESC LIMIT 1;

-- name: filter_document
SELECT version, rules, author, written_at, comment, diff FROM filter_documents WHERE version = :version;

-- name: filter_documents_before
SELECT version, rules, author, written_at, comment, diff
FROM filter_documents
WHERE version < CAST(:before AS BIGINT)
ORDER BY version DESC
LIMIT :limit;

-- name: all_shops
SELECT
    shop_id, name, active, created_at, rights, depot_policy, COALESCE(sales_policy, access_policy) AS access_policy
FROM shops
ORDER BY name;

-- name: set_access_policy
UPDATE shops SET access_policy = :older_policy, sales_policy = :access_policy WHERE name = :name;

-- name: set_depot_policy
UPDATE shops SET depot_policy = :depot_policy WHERE name = :name;

-- name: add_administrator
INSERT INTO administrators (name, lookup, created_at, roles) VALUES (:name, :lookup, :created_at, :roles)
ON CONFLICT (name) DO NOTHING;

-- name: administrator_by_credential
SELECT name, lookup, created_at, roles FROM administrators WHERE lookup = :lookup AND revoked_at IS NULL;

-- name: revoke_administrator
UPDATE administrators SET revoked_at = :at WHERE name = :name AND revoked_at IS NULL;

-- name: all_administrators
SELECT name, lookup, created_at, roles FROM administrators WHERE revoked_at IS NULL ORDER BY name;

-- name: filter_hits
SELECT rule_id, hits, first_at, last_at FROM filter_hits ORDER BY rule_id;

-- name: filter_document_at
SELECT version, rules, author, written_at, comment, diff
FROM filter_documents
WHERE written_at <= CAST(:at AS BIGINT)
ORDER BY version DESC
LIMIT 1;
