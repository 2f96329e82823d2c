-- name: raise_license_version
UPDATE licenses
SET version = licenses.version + 1
FROM (WITH n (license_id, version) AS (VALUES (:license_id, :version)) SELECT license_id, version FROM n) AS n
WHERE licenses.license_id = n.license_id AND licenses.version = n.version;

-- name: put_placement
INSERT INTO placements (license_id, serial, wanted, occupied, confirmed)
WITH n (license_id, serial, wanted, occupied, confirmed) AS (
    VALUES (:license_id, :serial, :wanted, :occupied, :confirmed)
)
SELECT l.license_id, n.serial, n.wanted, n.occupied, n.confirmed
FROM n
JOIN licenses AS l ON l.license_id = n.license_id
LEFT JOIN placements AS here ON here.license_id = l.license_id AND here.serial = n.serial
WHERE (
        n.wanted <= coalesce(here.wanted, 0)
        OR l.quantity >= n.wanted + (
            SELECT coalesce(sum(o.wanted), 0) FROM placements AS o
            WHERE o.license_id = l.license_id AND o.serial <> n.serial
        )
    )
    AND (
        n.occupied <= coalesce(here.occupied, 0)
        OR l.quantity >= n.occupied + (
            SELECT coalesce(sum(o.occupied), 0) FROM placements AS o
            WHERE o.license_id = l.license_id AND o.serial <> n.serial
        )
    )
ON CONFLICT (license_id, serial) DO UPDATE
SET wanted = excluded.wanted, occupied = excluded.occupied, confirmed = excluded.confirmed;

-- name: add_step
INSERT INTO steps (
    serial, firm_code, epoch, number, from_epoch, from_number, kind, digest_before, digest_after, state_after,
    content, signed, issued_at
) VALUES (
    :serial, :firm_code, :epoch, :number, :from_epoch, :from_number, :kind, :digest_before, :digest_after,
    :state_after, :content, :signed, :issued_at
);

-- name: sign_step
UPDATE steps
SET signed = :signed
WHERE serial = :serial AND firm_code = :firm_code AND epoch = :epoch AND number = :number AND signed IS NULL;

-- name: signed_step
SELECT (
    SELECT signed
    FROM steps
    WHERE serial = :serial AND firm_code = :firm_code AND epoch = :epoch AND number = :number
) AS signed;

-- name: licenses_by_id
SELECT
    l.license_id, l.order_id, l.line_number, l.ticket_id, l.item_number, l.firm_code, l.product_code, l.quantity,
    l.generation, l.options, l.extends_license_id, l.withdrawn, l.version, l.created_at,
    l.previous, l.rules, l.dedicated_serial,
    CAST(coalesce(sum(p.wanted), 0) AS BIGINT) AS wanted,
    CAST(coalesce(sum(p.occupied), 0) AS BIGINT) AS occupied,
    CAST(coalesce(sum(p.confirmed), 0) AS BIGINT) AS confirmed
FROM licenses AS l
LEFT JOIN placements AS p ON p.license_id = l.license_id
WHERE l.license_id IN (SELECT value FROM json_each(:license_ids))
GROUP BY l.license_id
ORDER BY l.license_id;

-- name: container_changes
SELECT
    c.serial, c.firm_code,
    c.version + (
        SELECT CAST(coalesce(sum(l.version), 0) AS BIGINT)
        FROM placements AS p
        JOIN licenses AS l ON l.license_id = p.license_id
        WHERE p.serial = c.serial AND l.firm_code = c.firm_code
    ) AS changes
FROM containers AS c
WHERE c.serial IN (SELECT value FROM json_each(:serials));

-- name: set_placement
INSERT INTO placements (license_id, serial, wanted, occupied, confirmed)
VALUES (:license_id, :serial, :wanted, :occupied, :confirmed)
ON CONFLICT (license_id, serial) DO UPDATE
SET wanted = excluded.wanted, occupied = excluded.occupied, confirmed = excluded.confirmed;
