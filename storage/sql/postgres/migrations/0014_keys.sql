-- The peppers and sealing keys that this database was made with, once there was more than one of a kind; never the keys
-- themselves. `kept`: what must be opened with a key that is gone, sealed.
CREATE TABLE key_states (
    key_id      TEXT COLLATE "C" PRIMARY KEY,
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('sealing-key', 'pepper')),
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('added', 'active', 'opens', 'retired')),
    is_first    BOOLEAN NOT NULL,
    made_at     BIGINT NOT NULL,
    active_at   BIGINT,
    finished_at BIGINT,
    retired_at  BIGINT,
    kept        BYTEA
);

CREATE UNIQUE INDEX key_states_active ON key_states (kind) WHERE state = 'active';

-- Which keys the processes that serve have at hand, as each of them says now and then.
CREATE TABLE key_holders (
    process     TEXT COLLATE "C" PRIMARY KEY,
    node        TEXT COLLATE "C" NOT NULL,
    holds       TEXT COLLATE "C" NOT NULL,
    sealing_key TEXT COLLATE "C" NOT NULL,
    pepper      TEXT COLLATE "C" NOT NULL,
    box_key     TEXT COLLATE "C" NOT NULL,
    seen_at     BIGINT NOT NULL
);
