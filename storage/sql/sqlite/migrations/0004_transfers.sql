-- What the rules of items count: pieces given back and pieces of lost containers, one row for each time and licence.
CREATE TABLE movements (
    movement_id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
    license_id  TEXT NOT NULL REFERENCES licenses (license_id),
    serial      TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('Return', 'Restore')),
    quantity    INTEGER NOT NULL CHECK (quantity > 0),
    at          INTEGER NOT NULL
) STRICT;

CREATE INDEX movements_by_license ON movements (license_id);

-- What somebody has to decide: a container that is said to be lost.
CREATE TABLE approvals (
    approval_id  TEXT PRIMARY KEY,
    serial       TEXT NOT NULL,
    firm_code    INTEGER NOT NULL,
    ticket_id    TEXT NOT NULL REFERENCES tickets (ticket_id),
    state        TEXT NOT NULL CHECK (state IN ('Open', 'Approved', 'Denied')),
    requested_at INTEGER NOT NULL,
    decided_at   INTEGER,
    reason       TEXT,
    CHECK ((state = 'Open') = (decided_at IS NULL))
) STRICT;

CREATE UNIQUE INDEX approvals_open ON approvals (serial, firm_code) WHERE state = 'Open';

-- Containers that get nothing, for any firm code, until support takes the block away.
CREATE TABLE blocked_containers (
    serial     TEXT PRIMARY KEY,
    reason     TEXT NOT NULL,
    blocked_at INTEGER NOT NULL
) STRICT;
