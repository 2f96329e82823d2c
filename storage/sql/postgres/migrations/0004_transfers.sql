-- What the rules of items count: pieces given back and pieces of lost containers, one row for each time and licence.
CREATE TABLE movements (
    -- No sequence, as for the audit rows: all nodes would meet at it.
    movement_id TEXT COLLATE "C" PRIMARY KEY DEFAULT
        lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000000)::bigint), 14, '0') || '-' || gen_random_uuid()::text,
    license_id  TEXT COLLATE "C" NOT NULL REFERENCES licenses (license_id),
    serial      TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('Return', 'Restore')),
    quantity    BIGINT NOT NULL CHECK (quantity > 0),
    at          BIGINT NOT NULL
);

CREATE INDEX movements_by_license ON movements (license_id);

-- What somebody has to decide: a container that is said to be lost.
CREATE TABLE approvals (
    approval_id  TEXT COLLATE "C" PRIMARY KEY,
    serial       TEXT COLLATE "C" NOT NULL,
    firm_code    BIGINT NOT NULL,
    ticket_id    TEXT COLLATE "C" NOT NULL REFERENCES tickets (ticket_id),
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('Open', 'Approved', 'Denied')),
    requested_at BIGINT NOT NULL,
    decided_at   BIGINT,
    reason       TEXT COLLATE "C",
    CHECK ((state = 'Open') = (decided_at IS NULL))
);

CREATE UNIQUE INDEX approvals_open ON approvals (serial, firm_code) WHERE state = 'Open';

-- Containers that get nothing, for any firm code, until support takes the block away.
CREATE TABLE blocked_containers (
    serial     TEXT COLLATE "C" PRIMARY KEY,
    reason     TEXT COLLATE "C" NOT NULL,
    blocked_at BIGINT NOT NULL
);
