-- Who agreed to get offers by mail, by the keyed hash of the address. The address itself is sealed.
CREATE TABLE mail_consents (
    lookup      BYTEA PRIMARY KEY,
    sealed      BYTEA NOT NULL,
    given_at    BIGINT NOT NULL,
    source      TEXT NOT NULL,
    recorded_by TEXT NOT NULL
);

-- Which addresses get no mail, and why.
CREATE TABLE mail_suppressions (
    lookup BYTEA NOT NULL,
    reason TEXT COLLATE "C" NOT NULL CHECK (reason IN ('unsubscribe', 'complaint', 'bounce')),
    at     BIGINT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (lookup, reason)
);

-- What was told of licences that expire: once for each licence, expiry and stage.
CREATE TABLE reminders (
    license_id TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    days       BIGINT NOT NULL CHECK (days > 0),
    told_at    BIGINT NOT NULL,
    PRIMARY KEY (license_id, expires_at, days)
);

CREATE TABLE campaigns (
    name       TEXT COLLATE "C" PRIMARY KEY,
    rules      TEXT NOT NULL,
    offer_item TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    stopped_at BIGINT
);

-- What became of offers. A row for each, not a sum, so that nobody waits for anybody, and nothing is counted twice.
CREATE TABLE offer_events (
    campaign   TEXT COLLATE "C" NOT NULL,
    fate       TEXT COLLATE "C" NOT NULL CHECK (fate IN ('shown', 'mailed', 'taken')),
    subject    TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (campaign, fate, subject)
);

CREATE INDEX offer_events_by_time ON offer_events (at);
