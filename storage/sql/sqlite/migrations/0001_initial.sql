-- Times are microseconds since 1970 in UTC. Counters are pairs (epoch, number). Ids are time-ordered text.
-- Columns named in "later" comments are written by operations that this version does not have yet; they stand here so
-- that adding those operations needs no rewriting of large tables.

-- What holds for the whole server: exactly one row. The epoch is NULL until the server is initialised.
CREATE TABLE server (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    current_epoch    INTEGER CHECK (current_epoch > 0),
    key_fingerprint  BLOB,
    initialised_at   INTEGER,
    data_version     INTEGER NOT NULL DEFAULT 0 CHECK (data_version >= 0),
    write_checks     INTEGER NOT NULL DEFAULT 0,
    journal_position INTEGER NOT NULL DEFAULT 0,    -- later: how far the journal of steps was replayed
    sealed_audit_id  INTEGER NOT NULL DEFAULT 0,    -- later: the last audit row in the sealed chain
    CHECK ((current_epoch IS NULL) = (key_fingerprint IS NULL))
) STRICT;

INSERT INTO server (id) VALUES (1);

CREATE TABLE shops (
    shop_id    TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credentials (
    credential_id TEXT PRIMARY KEY,
    shop_id       TEXT NOT NULL REFERENCES shops (shop_id),
    kind          TEXT NOT NULL,
    lookup        BLOB NOT NULL UNIQUE,
    created_at    INTEGER NOT NULL,
    revoked_at    INTEGER                           -- later
) STRICT, WITHOUT ROWID;

CREATE INDEX credentials_by_shop ON credentials (shop_id);

CREATE TABLE items (
    item_number  TEXT PRIMARY KEY,
    firm_code    INTEGER NOT NULL CHECK (firm_code >= 0),
    product_code INTEGER NOT NULL CHECK (product_code >= 0),
    options      TEXT NOT NULL CHECK (json_valid(options)),
    rules        TEXT NOT NULL CHECK (json_valid(rules)),
    active       INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tickets (
    ticket_id  TEXT PRIMARY KEY,
    lookup     BLOB NOT NULL UNIQUE,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    order_id        TEXT PRIMARY KEY,
    shop_id         TEXT NOT NULL REFERENCES shops (shop_id),
    transaction_id  TEXT NOT NULL,
    order_number    TEXT,
    ticket_id       TEXT NOT NULL REFERENCES tickets (ticket_id),
    customer_sealed BLOB,
    created_at      INTEGER NOT NULL,
    UNIQUE (shop_id, transaction_id),
    UNIQUE (shop_id, order_number)
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_by_ticket ON orders (ticket_id);

-- What a transactionId was answered, for ever. The answer is NULL once personal data was erased.
CREATE TABLE answers (
    shop_id        TEXT NOT NULL REFERENCES shops (shop_id),
    operation      TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    request_hash   BLOB NOT NULL,
    answer_sealed  BLOB,
    created_at     INTEGER NOT NULL,
    UNIQUE (shop_id, operation, transaction_id)
) STRICT;

CREATE TABLE licenses (
    license_id         TEXT PRIMARY KEY,
    order_id           TEXT NOT NULL REFERENCES orders (order_id),
    line_number        INTEGER NOT NULL CHECK (line_number > 0),
    ticket_id          TEXT NOT NULL REFERENCES tickets (ticket_id),
    item_number        TEXT NOT NULL REFERENCES items (item_number),
    firm_code          INTEGER NOT NULL,
    product_code       INTEGER NOT NULL,
    quantity           INTEGER NOT NULL,
    generation         INTEGER NOT NULL CHECK (generation > 0),
    options            TEXT NOT NULL CHECK (json_valid(options)),
    extends_license_id TEXT REFERENCES licenses (license_id),
    withdrawn          INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
    version            INTEGER NOT NULL CHECK (version > 0),
    created_at         INTEGER NOT NULL,
    UNIQUE (order_id, line_number),
    CHECK (quantity > 0 OR (quantity = 0 AND withdrawn = 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX licenses_by_ticket ON licenses (ticket_id);
CREATE INDEX licenses_by_extended ON licenses (extends_license_id) WHERE extends_license_id IS NOT NULL;

-- There is deliberately no CHECK on the sums over a licence: a withdrawal lowers the quantity below what is still out
-- (transfer protocol, section 3.4). A raise is a conditional statement on both sums.
CREATE TABLE placements (
    license_id TEXT NOT NULL REFERENCES licenses (license_id),
    serial     TEXT NOT NULL,
    wanted     INTEGER NOT NULL CHECK (wanted >= 0),
    occupied   INTEGER NOT NULL CHECK (occupied >= 0),
    confirmed  INTEGER NOT NULL CHECK (confirmed >= 0),
    PRIMARY KEY (license_id, serial),
    CHECK (confirmed <= occupied)
) STRICT, WITHOUT ROWID;

CREATE INDEX placements_by_serial ON placements (serial);

-- One container and firm code.
CREATE TABLE containers (
    serial           TEXT NOT NULL,
    firm_code        INTEGER NOT NULL CHECK (firm_code >= 0),
    kind             TEXT NOT NULL,
    public_key       BLOB NOT NULL,
    version          INTEGER NOT NULL CHECK (version > 0),
    mark             TEXT NOT NULL CHECK (mark IN ('ok', 'marked', 'healing', 'lost')),
    epoch            INTEGER NOT NULL CHECK (epoch >= 0),
    base_epoch       INTEGER NOT NULL,
    base_number      INTEGER NOT NULL,
    confirmed_epoch  INTEGER NOT NULL,
    confirmed_number INTEGER NOT NULL,
    confirmed_state  BLOB NOT NULL,
    end_epoch        INTEGER NOT NULL,
    end_number       INTEGER NOT NULL,
    end_state        BLOB NOT NULL,
    newest_export    INTEGER NOT NULL CHECK (newest_export >= 0),
    newest_nonce     BLOB NOT NULL,
    healing_export   INTEGER,                       -- later: the one context that an accepted copy was bound to
    healing_nonce    BLOB,                          -- later
    lost_at          INTEGER,                       -- later
    contact_epoch    INTEGER,                       -- later: the server's epoch at the newest fresh context, for push
    UNIQUE (serial, firm_code),
    CHECK ((confirmed_epoch, confirmed_number) <= (end_epoch, end_number)),
    CHECK ((base_epoch, base_number) <= (end_epoch, end_number))
) STRICT;

-- Contexts that arrived, compared by (nonce, counter, digest of the listing).
CREATE TABLE contexts (
    serial         TEXT NOT NULL,
    firm_code      INTEGER NOT NULL,
    export         INTEGER NOT NULL CHECK (export >= 0),
    nonce          BLOB NOT NULL,
    counter_epoch  INTEGER NOT NULL,
    counter_number INTEGER NOT NULL,
    digest         BLOB NOT NULL,
    received_at    INTEGER NOT NULL,
    PRIMARY KEY (serial, firm_code, export, nonce, counter_epoch, counter_number, digest),
    FOREIGN KEY (serial, firm_code) REFERENCES containers (serial, firm_code)
) STRICT, WITHOUT ROWID;

-- The steps of all chains, kept for ever: content is reserved first, signed is stored once.
CREATE TABLE steps (
    serial           TEXT NOT NULL,
    firm_code        INTEGER NOT NULL,
    epoch            INTEGER NOT NULL,
    number           INTEGER NOT NULL CHECK (number > 0),
    from_epoch       INTEGER NOT NULL,
    from_number      INTEGER NOT NULL,
    kind             TEXT NOT NULL CHECK (kind IN ('Delta', 'Reset')),
    digest_before    BLOB NOT NULL,
    digest_after     BLOB NOT NULL,
    state_after      BLOB NOT NULL,
    content          BLOB NOT NULL,
    signed           BLOB,
    issued_at        INTEGER NOT NULL,
    journal_position INTEGER,                       -- later: where the journal holds the step
    UNIQUE (serial, firm_code, epoch, number),
    FOREIGN KEY (serial, firm_code) REFERENCES containers (serial, firm_code),
    CHECK ((from_epoch, from_number) < (epoch, number))
) STRICT;

-- A step is signed once, for ever, and its content never changes (transfer protocol, section 1).
CREATE TRIGGER steps_are_signed_once BEFORE UPDATE ON steps
WHEN OLD.content IS NOT NEW.content OR (OLD.signed IS NOT NULL AND OLD.signed IS NOT NEW.signed)
BEGIN
    SELECT RAISE(ABORT, 'a step never changes');
END;

-- Requests that made steps, so that each acts once.
CREATE TABLE transfers (
    serial      TEXT NOT NULL,
    firm_code   INTEGER NOT NULL,
    key         BLOB NOT NULL,
    action      TEXT NOT NULL,
    user_sealed BLOB,
    from_epoch  INTEGER NOT NULL,
    from_number INTEGER NOT NULL,
    to_epoch    INTEGER NOT NULL,
    to_number   INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (serial, firm_code, key),
    FOREIGN KEY (serial, firm_code) REFERENCES containers (serial, firm_code),
    FOREIGN KEY (serial, firm_code, to_epoch, to_number) REFERENCES steps (serial, firm_code, epoch, number),
    CHECK ((from_epoch, from_number) < (to_epoch, to_number))
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    audit_id INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    details  TEXT NOT NULL CHECK (json_valid(details)),
    salt     BLOB,                                  -- later: the sealer's
    seal     BLOB                                   -- later: the chain up to this row
) STRICT;

CREATE INDEX audit_by_subject ON audit (subject);
