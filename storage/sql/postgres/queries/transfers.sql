-- name: hold_licenses
SELECT license_id
FROM licenses
WHERE license_id = ANY (:license_ids::text[])
ORDER BY license_id
FOR NO KEY UPDATE;

-- name: raise_license_version
UPDATE licenses AS l
SET version = l.version + 1
FROM unnest(:license_id::text[], :version::bigint[]) AS n (license_id, version)
WHERE l.license_id = n.license_id AND l.version = n.version;

-- name: put_placement
INSERT INTO placements (license_id, serial, wanted, occupied, confirmed)
SELECT l.license_id, n.serial, n.wanted, n.occupied, n.confirmed
FROM unnest(
    :license_id::text[], :serial::text[], :wanted::bigint[], :occupied::bigint[], :confirmed::bigint[]
) AS n (license_id, serial, wanted, occupied, confirmed)
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
)
SELECT *
FROM unnest(
    :serial::text[], :firm_code::bigint[], :epoch::bigint[], :number::bigint[], :from_epoch::bigint[],
    :from_number::bigint[], :kind::text[], :digest_before::bytea[], :digest_after::bytea[], :state_after::bytea[],
    :content::bytea[], :signed::bytea[], :issued_at::bigint[]
);

-- name: hold_steps
SELECT s.epoch, s.number
FROM steps AS s
JOIN unnest(:epochs::bigint[], :numbers::bigint[]) AS n (epoch, number) ON n.epoch = s.epoch AND n.number = s.number
WHERE s.serial = :serial AND s.firm_code = :firm_code
ORDER BY s.epoch, s.number
FOR NO KEY UPDATE OF s;

-- name: sign_step
UPDATE steps AS s
SET signed = n.signed
FROM unnest(:serial::text[], :firm_code::bigint[], :epoch::bigint[], :number::bigint[], :signed::bytea[])
    AS n (serial, firm_code, epoch, number, signed)
WHERE s.serial = n.serial AND s.firm_code = n.firm_code AND s.epoch = n.epoch AND s.number = n.number
  AND s.signed IS NULL;

-- name: signed_step
SELECT s.signed
FROM unnest(:serial::text[], :firm_code::bigint[], :epoch::bigint[], :number::bigint[])
    WITH ORDINALITY AS n (serial, firm_code, epoch, number, position)
LEFT JOIN steps AS s
    ON s.serial = n.serial AND s.firm_code = n.firm_code AND s.epoch = n.epoch AND s.number = n.number
ORDER BY n.position;

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
WHERE l.license_id = ANY (:license_ids::text[])
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
WHERE c.serial = ANY (:serials::text[]);

-- name: set_placement
INSERT INTO placements (license_id, serial, wanted, occupied, confirmed)
SELECT *
FROM unnest(
    :license_id::text[], :serial::text[], :wanted::bigint[], :occupied::bigint[], :confirmed::bigint[]
)
ON CONFLICT (license_id, serial) DO UPDATE
SET wanted = excluded.wanted, occupied = excluded.occupied, confirmed = excluded.confirmed;
