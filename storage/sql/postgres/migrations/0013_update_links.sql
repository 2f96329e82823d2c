-- Links under which update files can be fetched for a while, by the keyed hash of their tokens.
CREATE TABLE update_links (
    lookup       BYTEA PRIMARY KEY,
    serial       TEXT COLLATE "C" NOT NULL,
    firm_code    BIGINT NOT NULL,
    first_epoch  BIGINT NOT NULL,
    first_number BIGINT NOT NULL,
    last_epoch   BIGINT NOT NULL,
    last_number  BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    FOREIGN KEY (serial, firm_code) REFERENCES containers (serial, firm_code)
);

CREATE INDEX update_links_by_expiry ON update_links (expires_at);
