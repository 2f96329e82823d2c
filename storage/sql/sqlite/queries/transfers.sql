-- name: raise_license_version
UPDATE licenses SET version = version + 1 WHERE license_id = :license_id AND version = :version;

-- name: put_placement
INSERT INTO placements (license_id, serial, wanted, occupied, confirmed)
SELECT l.license_id, :serial, :wanted, :occupied, :confirmed
FROM licenses AS l
LEFT JOIN placements AS here ON here.license_id = l.license_id AND here.serial = :serial
WHERE l.license_id = :license_id
  AND (
      :wanted <= coalesce(here.wanted, 0)
      OR l.quantity >= :wanted + (
          SELECT coalesce(sum(o.wanted), 0) FROM placements AS o
          WHERE o.license_id = l.license_id AND o.serial <> :serial
      )
  )
  AND (
      :occupied <= coalesce(here.occupied, 0)
      OR l.quantity >= :occupied + (
          SELECT coalesce(sum(o.occupied), 0) FROM placements AS o
          WHERE o.license_id = l.license_id AND o.serial <> :serial
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
