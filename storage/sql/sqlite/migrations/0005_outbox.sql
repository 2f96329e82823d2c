-- How many messages were ever written under a key: the next one takes the next number, under the lock of this row, so
-- that the order of the numbers is the order of the commits.
CREATE TABLE outbox_keys (
    channel TEXT NOT NULL,
    key     TEXT NOT NULL,
    last    INTEGER NOT NULL CHECK (last > 0),
    PRIMARY KEY (channel, key)
) STRICT, WITHOUT ROWID;

-- Messages that are still to be delivered, and those that were given up. A delivered one is gone.
CREATE TABLE outbox (
    message_id     TEXT PRIMARY KEY,
    channel        TEXT NOT NULL,
    key            TEXT NOT NULL,
    number         INTEGER NOT NULL CHECK (number > 0),
    kind           TEXT NOT NULL,
    order_id       TEXT,
    content_sealed BLOB NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'dead')),
    attempts       INTEGER NOT NULL CHECK (attempts >= 0),
    due_at         INTEGER NOT NULL,
    lease_owner    TEXT,
    lease_until    INTEGER,
    last_failure   TEXT,
    created_at     INTEGER NOT NULL,
    UNIQUE (channel, key, number),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_due ON outbox (channel, due_at) WHERE state = 'waiting';
CREATE INDEX outbox_by_order ON outbox (order_id) WHERE order_id IS NOT NULL;
