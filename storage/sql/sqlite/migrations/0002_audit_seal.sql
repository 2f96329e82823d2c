-- The chain over the audit rows. Positions rise by one, in the order in which the sealer took the rows, which is not
-- the order of their ids: a row may be committed after one with a higher id.
CREATE TABLE audit_chain (
    position       INTEGER PRIMARY KEY CHECK (position > 0),
    audit_id       INTEGER NOT NULL,
    details_digest BLOB NOT NULL,
    digest         BLOB NOT NULL
) STRICT;

CREATE INDEX audit_chain_by_row ON audit_chain (audit_id);

-- How far the chain goes, signed: exactly one row.
CREATE TABLE audit_head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    position   INTEGER NOT NULL CHECK (position >= 0),
    link       BLOB NOT NULL,
    sealed_at  INTEGER NOT NULL,
    public_key BLOB NOT NULL,
    signature  BLOB NOT NULL
) STRICT;

INSERT INTO audit_head (id, position, link, sealed_at, public_key, signature) VALUES (1, 0, zeroblob(32), 0, x'', x'');

-- Who does something that one process at a time does. It saves work; that it is done once is checked by what is written.
CREATE TABLE leases (
    name       TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The details of an erased row are gone; who did what and when stays.
ALTER TABLE audit ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));

CREATE INDEX audit_unsealed ON audit (audit_id) WHERE seal IS NULL;
