-- The peppers and sealing keys that this database was made with, once there was more than one of a kind; never the keys
-- themselves. `kept`: what must be opened with a key that is gone, sealed.
CREATE TABLE key_states (
    key_id      TEXT PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('sealing-key', 'pepper')),
    state       TEXT NOT NULL CHECK (state IN ('added', 'active', 'opens', 'retired')),
    is_first    INTEGER NOT NULL CHECK (is_first IN (0, 1)),
    made_at     INTEGER NOT NULL,
    active_at   INTEGER,
    finished_at INTEGER,
    retired_at  INTEGER,
    kept        BLOB
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX key_states_active ON key_states (kind) WHERE state = 'active';

-- Which keys the processes that serve have at hand, as each of them says now and then.
CREATE TABLE key_holders (
    process     TEXT PRIMARY KEY,
    node        TEXT NOT NULL,
    holds       TEXT NOT NULL CHECK (json_valid(holds)),
    sealing_key TEXT NOT NULL,
    pepper      TEXT NOT NULL,
    box_key     TEXT NOT NULL,
    seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
