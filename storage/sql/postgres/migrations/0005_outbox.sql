-- How many messages were ever written under a key: the next one takes the next number, under the lock of this row, so
-- that the order of the numbers is the order of the commits.
CREATE TABLE outbox_keys (
    channel TEXT COLLATE "C" NOT NULL,
    key     TEXT COLLATE "C" NOT NULL,
    last    BIGINT NOT NULL CHECK (last > 0),
    PRIMARY KEY (channel, key)
);

-- Messages that are still to be delivered, and those that were given up. A delivered one is gone.
CREATE TABLE outbox (
    message_id     TEXT COLLATE "C" PRIMARY KEY,
    channel        TEXT COLLATE "C" NOT NULL,
    key            TEXT COLLATE "C" NOT NULL,
    number         BIGINT NOT NULL CHECK (number > 0),
    kind           TEXT NOT NULL,
    order_id       TEXT COLLATE "C",
    content_sealed BYTEA NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'dead')),
    attempts       BIGINT NOT NULL CHECK (attempts >= 0),
    due_at         BIGINT NOT NULL,
    lease_owner    TEXT,
    lease_until    BIGINT,
    last_failure   TEXT,
    created_at     BIGINT NOT NULL,
    UNIQUE (channel, key, number),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);

CREATE INDEX outbox_due ON outbox (channel, due_at) WHERE state = 'waiting';
CREATE INDEX outbox_by_order ON outbox (order_id) WHERE order_id IS NOT NULL;
