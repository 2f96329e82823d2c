-- The chain over the audit rows. Positions rise by one, in the order in which the sealer took the rows, which is not
-- the order of their ids: a row may be committed after one with a higher id.
CREATE TABLE audit_chain (
    position       BIGINT PRIMARY KEY CHECK (position > 0),
    audit_id       TEXT COLLATE "C" NOT NULL,
    details_digest BYTEA NOT NULL,
    digest         BYTEA NOT NULL
);

CREATE INDEX audit_chain_by_row ON audit_chain (audit_id);

-- How far the chain goes, signed: exactly one row.
CREATE TABLE audit_head (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    position   BIGINT NOT NULL CHECK (position >= 0),
    link       BYTEA NOT NULL,
    sealed_at  BIGINT NOT NULL,
    public_key BYTEA NOT NULL,
    signature  BYTEA NOT NULL
);

INSERT INTO audit_head (id, position, link, sealed_at, public_key, signature)
VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, '', '');

-- Who does something that one process at a time does. It saves work; that it is done once is checked by what is written.
CREATE TABLE leases (
    name       TEXT COLLATE "C" PRIMARY KEY,
    owner      TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- The details of an erased row are gone; who did what and when stays.
ALTER TABLE audit ADD COLUMN erased BOOLEAN NOT NULL DEFAULT FALSE;

CREATE INDEX audit_unsealed ON audit (audit_id) WHERE seal IS NULL;
