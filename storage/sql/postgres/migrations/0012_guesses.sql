-- Who guessed at tickets, keys and secrets: by the keyed hash of an address, a shop's name, an account or a ticket. A
-- bucket that every failure fills by one and that time empties; empty_at is when it will be empty again.
CREATE TABLE guesses (
    subject    BYTEA PRIMARY KEY,
    empty_at   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    alarmed_at BIGINT
);

CREATE INDEX guesses_by_time ON guesses (last_at);
