-- Who agreed to get offers by mail, by the keyed hash of the address. The address itself is sealed.
CREATE TABLE mail_consents (
    lookup      BLOB PRIMARY KEY,
    sealed      BLOB NOT NULL,
    given_at    INTEGER NOT NULL,
    source      TEXT NOT NULL,
    recorded_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which addresses get no mail, and why.
CREATE TABLE mail_suppressions (
    lookup BLOB NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('unsubscribe', 'complaint', 'bounce')),
    at     INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (lookup, reason)
) STRICT, WITHOUT ROWID;

-- What was told of licences that expire: once for each licence, expiry and stage.
CREATE TABLE reminders (
    license_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    days       INTEGER NOT NULL CHECK (days > 0),
    told_at    INTEGER NOT NULL,
    PRIMARY KEY (license_id, expires_at, days)
) STRICT, WITHOUT ROWID;

CREATE TABLE campaigns (
    name       TEXT PRIMARY KEY,
    rules      TEXT NOT NULL,
    offer_item TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    stopped_at INTEGER
) STRICT, WITHOUT ROWID;

-- What became of offers. A row for each, not a sum, so that nobody waits for anybody, and nothing is counted twice.
CREATE TABLE offer_events (
    campaign   TEXT NOT NULL,
    fate       TEXT NOT NULL CHECK (fate IN ('shown', 'mailed', 'taken')),
    subject    TEXT NOT NULL,
    license_id TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (campaign, fate, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX offer_events_by_time ON offer_events (at);
