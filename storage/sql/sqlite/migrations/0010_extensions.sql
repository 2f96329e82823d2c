-- Extensions that were asked for, each a chain of durable steps. The key is a keyed hash of the caller's transactionId
-- and the ticket. A row that is leased is being worked on until its lease ends; one that is due waits for somebody.
CREATE TABLE extensions (
    extension_id   TEXT PRIMARY KEY,
    key            BLOB NOT NULL UNIQUE,
    request_hash   BLOB NOT NULL,
    ticket_lookup  BLOB NOT NULL,
    step           TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('Pending', 'Extended', 'Refused')),
    content_sealed BLOB NOT NULL,
    version        INTEGER NOT NULL CHECK (version > 0),
    attempts       INTEGER NOT NULL CHECK (attempts >= 0),
    due_at         INTEGER NOT NULL,
    lease_owner    TEXT,
    lease_until    INTEGER,
    last_failure   TEXT,
    created_at     INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX extensions_due ON extensions (due_at) WHERE step NOT IN ('done', 'stuck');
CREATE INDEX extensions_by_time ON extensions (created_at);
CREATE INDEX extensions_by_ticket ON extensions (ticket_lookup);
