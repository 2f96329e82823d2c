-- The same tables as SQLite's. Times are microseconds since 1970 in UTC, as there: one conversion for both, and no
-- session's time zone can change them. Counters are pairs (epoch, number). Ids are time-ordered text. Keys are compared
-- byte by byte (COLLATE "C"), so that every storage sorts them alike.
-- Columns named in "later" comments are written by operations that this version does not have yet; they stand here so
-- that adding those operations needs no rewriting of large tables.

-- What holds for the whole server: exactly one row. The epoch is NULL until the server is initialised.
CREATE TABLE server (
    id               BIGINT PRIMARY KEY CHECK (id = 1),
    current_epoch    BIGINT CHECK (current_epoch > 0),
    key_fingerprint  BYTEA,
    initialised_at   BIGINT,
    data_version     BIGINT NOT NULL DEFAULT 0 CHECK (data_version >= 0),
    write_checks     BIGINT NOT NULL DEFAULT 0,
    journal_position BIGINT NOT NULL DEFAULT 0,     -- later: how far the journal of steps was replayed
    sealed_audit_id  TEXT NOT NULL DEFAULT '',      -- later: the last audit row in the sealed chain
    CHECK ((current_epoch IS NULL) = (key_fingerprint IS NULL))
);

INSERT INTO server (id) VALUES (1);

CREATE TABLE shops (
    shop_id    TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    active     BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE credentials (
    credential_id TEXT COLLATE "C" PRIMARY KEY,
    shop_id       TEXT COLLATE "C" NOT NULL REFERENCES shops (shop_id),
    kind          TEXT NOT NULL,
    lookup        BYTEA NOT NULL UNIQUE,
    created_at    BIGINT NOT NULL,
    revoked_at    BIGINT                            -- later
);

CREATE INDEX credentials_by_shop ON credentials (shop_id);

CREATE TABLE items (
    item_number  TEXT COLLATE "C" PRIMARY KEY,
    firm_code    BIGINT NOT NULL CHECK (firm_code >= 0),
    product_code BIGINT NOT NULL CHECK (product_code >= 0),
    options      TEXT NOT NULL CHECK (options::json IS NOT NULL),
    rules        TEXT NOT NULL CHECK (rules::json IS NOT NULL),
    active       BOOLEAN NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE TABLE tickets (
    ticket_id  TEXT COLLATE "C" PRIMARY KEY,
    lookup     BYTEA NOT NULL UNIQUE,
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE orders (
    order_id        TEXT COLLATE "C" PRIMARY KEY,
    shop_id         TEXT COLLATE "C" NOT NULL REFERENCES shops (shop_id),
    transaction_id  TEXT COLLATE "C" NOT NULL,
    order_number    TEXT COLLATE "C",
    ticket_id       TEXT COLLATE "C" NOT NULL REFERENCES tickets (ticket_id),
    customer_sealed BYTEA,
    created_at      BIGINT NOT NULL,
    UNIQUE (shop_id, transaction_id),
    UNIQUE (shop_id, order_number)
);

CREATE INDEX orders_by_ticket ON orders (ticket_id);

-- What a transactionId was answered, for ever. The answer is NULL once personal data was erased.
CREATE TABLE answers (
    shop_id        TEXT COLLATE "C" NOT NULL REFERENCES shops (shop_id),
    operation      TEXT COLLATE "C" NOT NULL,
    transaction_id TEXT COLLATE "C" NOT NULL,
    request_hash   BYTEA NOT NULL,
    answer_sealed  BYTEA,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (shop_id, operation, transaction_id)
);

CREATE TABLE licenses (
    license_id         TEXT COLLATE "C" PRIMARY KEY,
    order_id           TEXT COLLATE "C" NOT NULL REFERENCES orders (order_id),
    line_number        BIGINT NOT NULL CHECK (line_number > 0),
    ticket_id          TEXT COLLATE "C" NOT NULL REFERENCES tickets (ticket_id),
    item_number        TEXT COLLATE "C" NOT NULL REFERENCES items (item_number),
    firm_code          BIGINT NOT NULL,
    product_code       BIGINT NOT NULL,
    quantity           BIGINT NOT NULL,
    generation         BIGINT NOT NULL CHECK (generation > 0),
    options            TEXT NOT NULL CHECK (options::json IS NOT NULL),
    extends_license_id TEXT COLLATE "C" REFERENCES licenses (license_id),
    withdrawn          BOOLEAN NOT NULL,
    version            BIGINT NOT NULL CHECK (version > 0),
    created_at         BIGINT NOT NULL,
    UNIQUE (order_id, line_number),
    CHECK (quantity > 0 OR (quantity = 0 AND withdrawn))
);

CREATE INDEX licenses_by_ticket ON licenses (ticket_id);
CREATE INDEX licenses_by_extended ON licenses (extends_license_id) WHERE extends_license_id IS NOT NULL;

-- There is deliberately no CHECK on the sums over a licence: a withdrawal lowers the quantity below what is still out
-- (transfer protocol, section 3.4). A raise is a conditional statement on both sums.
CREATE TABLE placements (
    license_id TEXT COLLATE "C" NOT NULL REFERENCES licenses (license_id),
    serial     TEXT COLLATE "C" NOT NULL,
    wanted     BIGINT NOT NULL CHECK (wanted >= 0),
    occupied   BIGINT NOT NULL CHECK (occupied >= 0),
    confirmed  BIGINT NOT NULL CHECK (confirmed >= 0),
    PRIMARY KEY (license_id, serial),
    CHECK (confirmed <= occupied)
);

CREATE INDEX placements_by_serial ON placements (serial);

-- One container and firm code.
CREATE TABLE containers (
    serial           TEXT COLLATE "C" NOT NULL,
    firm_code        BIGINT NOT NULL CHECK (firm_code >= 0),
    kind             TEXT NOT NULL,
    public_key       BYTEA NOT NULL,
    version          BIGINT NOT NULL CHECK (version > 0),
    mark             TEXT NOT NULL CHECK (mark IN ('ok', 'marked', 'healing', 'lost')),
    epoch            BIGINT NOT NULL CHECK (epoch >= 0),
    base_epoch       BIGINT NOT NULL,
    base_number      BIGINT NOT NULL,
    confirmed_epoch  BIGINT NOT NULL,
    confirmed_number BIGINT NOT NULL,
    confirmed_state  BYTEA NOT NULL,
    end_epoch        BIGINT NOT NULL,
    end_number       BIGINT NOT NULL,
    end_state        BYTEA NOT NULL,
    newest_export    BIGINT NOT NULL CHECK (newest_export >= 0),
    newest_nonce     BYTEA NOT NULL,
    healing_export   BIGINT,                        -- later: the one context that an accepted copy was bound to
    healing_nonce    BYTEA,                         -- later
    lost_at          BIGINT,                        -- later
    contact_epoch    BIGINT,                        -- later: the server's epoch at the newest fresh context, for push
    PRIMARY KEY (serial, firm_code),
    CHECK ((confirmed_epoch, confirmed_number) <= (end_epoch, end_number)),
    CHECK ((base_epoch, base_number) <= (end_epoch, end_number))
);

-- Contexts that arrived, compared by (nonce, counter, digest of the listing).
CREATE TABLE contexts (
    serial         TEXT COLLATE "C" NOT NULL,
    firm_code      BIGINT NOT NULL,
    export         BIGINT NOT NULL CHECK (export >= 0),
    nonce          BYTEA NOT NULL,
    counter_epoch  BIGINT NOT NULL,
    counter_number BIGINT NOT NULL,
    digest         BYTEA NOT NULL,
    received_at    BIGINT NOT NULL,
    PRIMARY KEY (serial, firm_code, export, nonce, counter_epoch, counter_number, digest),
    FOREIGN KEY (serial, firm_code) REFERENCES containers (serial, firm_code)
);

-- The steps of all chains, kept for ever: content is reserved first, signed is stored once.
CREATE TABLE steps (
    serial           TEXT COLLATE "C" NOT NULL,
    firm_code        BIGINT NOT NULL,
    epoch            BIGINT NOT NULL,
    number           BIGINT NOT NULL CHECK (number > 0),
    from_epoch       BIGINT NOT NULL,
    from_number      BIGINT NOT NULL,
    kind             TEXT NOT NULL CHECK (kind IN ('Delta', 'Reset')),
    digest_before    BYTEA NOT NULL,
    digest_after     BYTEA NOT NULL,
    state_after      BYTEA NOT NULL,
    content          BYTEA NOT NULL,
    signed           BYTEA,
    issued_at        BIGINT NOT NULL,
    journal_position BIGINT,                        -- later: where the journal holds the step
    PRIMARY KEY (serial, firm_code, epoch, number),
    FOREIGN KEY (serial, firm_code) REFERENCES containers (serial, firm_code),
    CHECK ((from_epoch, from_number) < (epoch, number))
);

-- A step is signed once, for ever, and its content never changes (transfer protocol, section 1).
CREATE FUNCTION keep_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a step never changes' USING ERRCODE = 'check_violation';
END
$$;

CREATE TRIGGER steps_are_signed_once BEFORE UPDATE ON steps FOR EACH ROW
WHEN (OLD.content IS DISTINCT FROM NEW.content OR (OLD.signed IS NOT NULL AND OLD.signed IS DISTINCT FROM NEW.signed))
EXECUTE FUNCTION keep_step();

-- Requests that made steps, so that each acts once.
CREATE TABLE transfers (
    serial      TEXT COLLATE "C" NOT NULL,
    firm_code   BIGINT NOT NULL,
    key         BYTEA NOT NULL,
    action      TEXT NOT NULL,
    user_sealed BYTEA,
    from_epoch  BIGINT NOT NULL,
    from_number BIGINT NOT NULL,
    to_epoch    BIGINT NOT NULL,
    to_number   BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (serial, firm_code, key),
    FOREIGN KEY (serial, firm_code) REFERENCES containers (serial, firm_code),
    FOREIGN KEY (serial, firm_code, to_epoch, to_number) REFERENCES steps (serial, firm_code, epoch, number),
    CHECK ((from_epoch, from_number) < (to_epoch, to_number))
);

-- A sequence would be a point that all nodes meet at, so the ids are time-ordered text: microseconds, then chance. They
-- say nothing of the order of commits; the sealer takes what has no seal yet.
CREATE TABLE audit (
    audit_id TEXT COLLATE "C" PRIMARY KEY DEFAULT
        lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000000)::bigint), 14, '0') || '-' || gen_random_uuid()::text,
    at       BIGINT NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    subject  TEXT COLLATE "C" NOT NULL,
    details  TEXT NOT NULL CHECK (details::json IS NOT NULL),
    salt     BYTEA,                                 -- later: the sealer's
    seal     BYTEA                                  -- later: the chain up to this row
);

CREATE INDEX audit_by_subject ON audit (subject);
