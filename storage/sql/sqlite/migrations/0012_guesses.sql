-- Who guessed at tickets, keys and secrets: by the keyed hash of an address, a shop's name, an account or a ticket. A
-- bucket that every failure fills by one and that time empties; empty_at is when it will be empty again.
CREATE TABLE guesses (
    subject    BLOB PRIMARY KEY,
    empty_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    alarmed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX guesses_by_time ON guesses (last_at);
