-- name: consent
SELECT lookup, sealed, given_at, source, recorded_by FROM mail_consents WHERE lookup = :lookup;

-- name: consents_after
SELECT lookup, sealed, given_at, source, recorded_by
FROM mail_consents
WHERE lookup > :after
ORDER BY lookup
LIMIT :limit;

-- name: suppressions
SELECT lookup, reason, at, source FROM mail_suppressions WHERE lookup = :lookup ORDER BY reason;

-- name: later_unsubscribing
SELECT at FROM mail_suppressions WHERE lookup = :lookup AND reason = 'unsubscribe' AND at >= :at;

-- name: put_consent
INSERT INTO mail_consents (lookup, sealed, given_at, source, recorded_by)
VALUES (:lookup, :sealed, :given_at, :source, :recorded_by)
ON CONFLICT (lookup) DO UPDATE SET
    sealed = excluded.sealed, given_at = excluded.given_at, source = excluded.source,
    recorded_by = excluded.recorded_by
WHERE mail_consents.given_at <= excluded.given_at;

-- name: lift_unsubscribing
DELETE FROM mail_suppressions WHERE lookup = :lookup AND reason = 'unsubscribe';

-- name: add_suppression
INSERT INTO mail_suppressions (lookup, reason, at, source) VALUES (:lookup, :reason, :at, :source)
ON CONFLICT (lookup, reason) DO NOTHING;

-- name: forget_consent
DELETE FROM mail_consents WHERE lookup = :lookup;

-- name: forget_old_consent
DELETE FROM mail_consents WHERE lookup = :lookup AND given_at < :at;

-- name: forget_suppressions
DELETE FROM mail_suppressions WHERE lookup = :lookup;

-- name: forget_old_suppressions
DELETE FROM mail_suppressions WHERE lookup = :lookup AND at < :at;

-- name: add_campaign
INSERT INTO campaigns (name, rules, offer_item, created_at, stopped_at)
VALUES (:name, :rules, :offer_item, :created_at, :stopped_at)
ON CONFLICT (name) DO NOTHING;

-- name: stop_campaign
UPDATE campaigns SET stopped_at = :at WHERE name = :name AND stopped_at IS NULL;

-- name: campaigns
SELECT name, rules, offer_item, created_at, stopped_at FROM campaigns ORDER BY name;

-- name: add_offer_event
INSERT INTO offer_events (campaign, fate, subject, license_id, at)
VALUES (:campaign, :fate, :subject, :license_id, :at)
ON CONFLICT (campaign, fate, subject) DO NOTHING;

-- name: count_taken
INSERT INTO offer_events (campaign, fate, subject, license_id, at)
SELECT c.name, 'taken', bought.license_id, min(e.license_id), bought.created_at
FROM offer_events AS e
JOIN campaigns AS c ON c.name = e.campaign
JOIN licenses AS offered ON offered.license_id = e.license_id
JOIN licenses AS bought ON bought.ticket_id = offered.ticket_id
WHERE e.fate <> 'taken' AND e.at >= :since AND bought.created_at > e.at AND bought.created_at <= e.at + :window
  AND bought.item_number = c.offer_item
GROUP BY c.name, bought.license_id, bought.created_at
ON CONFLICT (campaign, fate, subject) DO NOTHING;

-- name: offer_counts
SELECT campaign, fate, at / :day AS day, count(*) AS offers
FROM offer_events
WHERE campaign = coalesce(CAST(:campaign AS TEXT), campaign)
GROUP BY campaign, fate, at / :day
ORDER BY campaign, fate, day;

-- name: add_reminder
INSERT INTO reminders (license_id, expires_at, days, told_at)
SELECT l.license_id, CAST(:expires_at AS BIGINT), CAST(:days AS BIGINT), CAST(:at AS BIGINT)
FROM licenses AS l
WHERE l.license_id = :license_id AND l.version = :version AND NOT l.withdrawn
ON CONFLICT (license_id, expires_at, days) DO NOTHING;

-- name: reminders_told
SELECT days FROM reminders WHERE license_id = :license_id AND expires_at = :expires_at ORDER BY days;

-- name: last_license_of_page
SELECT max(page.license_id) AS last
FROM (SELECT license_id FROM licenses WHERE license_id > :after ORDER BY license_id LIMIT :limit) AS page;
