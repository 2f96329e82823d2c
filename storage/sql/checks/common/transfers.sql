-- name: wanted_above_quantity
SELECT l.license_id AS subject
FROM licenses AS l
JOIN placements AS p ON p.license_id = l.license_id
GROUP BY l.license_id, l.quantity
HAVING sum(p.wanted) > l.quantity;

-- What was withdrawn may still be out, so a licence that somebody has changed since its order is not judged here.
-- name: occupied_above_quantity
SELECT l.license_id AS subject
FROM licenses AS l
JOIN placements AS p ON p.license_id = l.license_id
WHERE NOT EXISTS (
    SELECT 1 FROM audit AS a
    WHERE a.subject IN (l.license_id, l.order_id, l.ticket_id) AND a.action <> 'CreateOrder'
)
GROUP BY l.license_id, l.quantity
HAVING sum(p.occupied) > l.quantity;

-- name: placement_without_container
SELECT p.license_id || ' in ' || p.serial AS subject
FROM placements AS p
JOIN licenses AS l ON l.license_id = p.license_id
WHERE p.occupied > 0
  AND NOT EXISTS (SELECT 1 FROM containers AS c WHERE c.serial = p.serial AND c.firm_code = l.firm_code);

-- name: placement_in_lost_container
SELECT p.license_id || ' in ' || p.serial AS subject
FROM containers AS c
JOIN placements AS p ON p.serial = c.serial
JOIN licenses AS l ON l.license_id = p.license_id AND l.firm_code = c.firm_code
WHERE c.mark = 'lost' AND (p.wanted > 0 OR p.occupied > 0);

-- name: step_without_predecessor
SELECT s.serial || '/' || s.firm_code || ' ' || s.epoch || '.' || s.number AS subject
FROM steps AS s
WHERE s.kind = 'Delta'
  AND NOT EXISTS (
      SELECT 1 FROM steps AS b
      WHERE b.serial = s.serial AND b.firm_code = s.firm_code AND b.epoch = s.from_epoch AND b.number = s.from_number
  );

-- name: step_skips_a_number
SELECT s.serial || '/' || s.firm_code || ' ' || s.epoch || '.' || s.number AS subject
FROM steps AS s
WHERE (s.epoch, s.number) <= (s.from_epoch, s.from_number)
   OR (s.kind = 'Delta' AND (s.epoch <> s.from_epoch OR s.number <> s.from_number + 1));

-- name: step_breaks_the_chain
SELECT s.serial || '/' || s.firm_code || ' ' || s.epoch || '.' || s.number AS subject
FROM steps AS s
JOIN steps AS b
  ON b.serial = s.serial AND b.firm_code = s.firm_code AND b.epoch = s.from_epoch AND b.number = s.from_number
WHERE b.digest_after <> s.digest_before;

-- name: steps_fork
SELECT s.serial || '/' || s.firm_code || ' ' || s.from_epoch || '.' || s.from_number AS subject
FROM steps AS s
WHERE s.kind = 'Delta'
GROUP BY s.serial, s.firm_code, s.from_epoch, s.from_number
HAVING count(*) > 1;

-- name: step_after_the_end
SELECT s.serial || '/' || s.firm_code || ' ' || s.epoch || '.' || s.number AS subject
FROM containers AS c
JOIN steps AS s ON s.serial = c.serial AND s.firm_code = c.firm_code
WHERE (s.epoch, s.number) > (c.end_epoch, c.end_number);

-- A container that has come back to a server restored from a backup stands where no step of ours ends, until the reset
-- of the new epoch.
-- name: end_without_step
SELECT c.serial || '/' || c.firm_code AS subject
FROM containers AS c
JOIN server AS v ON c.epoch >= v.current_epoch
WHERE c.end_number > 0
  AND NOT EXISTS (
      SELECT 1 FROM steps AS s
      WHERE s.serial = c.serial AND s.firm_code = c.firm_code AND s.epoch = c.end_epoch AND s.number = c.end_number
  );

-- name: container_state_differs
SELECT c.serial || '/' || c.firm_code AS subject
FROM containers AS c
JOIN steps AS s ON s.serial = c.serial AND s.firm_code = c.firm_code
WHERE (s.epoch = c.end_epoch AND s.number = c.end_number AND s.state_after <> c.end_state)
   OR (s.epoch = c.confirmed_epoch AND s.number = c.confirmed_number AND s.state_after <> c.confirmed_state);

-- name: transfer_without_step
SELECT t.serial || '/' || t.firm_code || ' ' || t.to_epoch || '.' || t.to_number AS subject
FROM transfers AS t
WHERE NOT EXISTS (
    SELECT 1 FROM steps AS s
    WHERE s.serial = t.serial AND s.firm_code = t.firm_code AND s.epoch = t.to_epoch AND s.number = t.to_number
);

-- name: newest_context_unknown
SELECT c.serial || '/' || c.firm_code AS subject
FROM containers AS c
WHERE c.newest_export > 0
  AND NOT EXISTS (
      SELECT 1 FROM contexts AS x
      WHERE x.serial = c.serial AND x.firm_code = c.firm_code AND x.export = c.newest_export AND x.nonce = c.newest_nonce
  );

-- name: transfer_without_audit
SELECT t.subject
FROM (
    SELECT serial || '/' || firm_code AS subject, action, count(*) AS transfers
    FROM transfers
    GROUP BY serial, firm_code, action
) AS t
WHERE t.transfers > (SELECT count(*) FROM audit AS a WHERE a.subject = t.subject AND a.action = t.action);
