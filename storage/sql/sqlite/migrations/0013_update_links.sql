-- Links under which update files can be fetched for a while, by the keyed hash of their tokens.
CREATE TABLE update_links (
    lookup       BLOB PRIMARY KEY,
    serial       TEXT NOT NULL,
    firm_code    INTEGER NOT NULL,
    first_epoch  INTEGER NOT NULL,
    first_number INTEGER NOT NULL,
    last_epoch   INTEGER NOT NULL,
    last_number  INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    FOREIGN KEY (serial, firm_code) REFERENCES containers (serial, firm_code)
) STRICT, WITHOUT ROWID;

CREATE INDEX update_links_by_expiry ON update_links (expires_at);
