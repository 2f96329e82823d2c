-- How often each rule about client addresses decided, all workers and nodes together, by the rule's id: a row comes with
-- the first decision and stays when the rule goes, since a rule that comes back has the same id.
CREATE TABLE filter_hits (
    rule_id  TEXT COLLATE "C" PRIMARY KEY,
    hits     BIGINT NOT NULL CHECK (hits > 0),
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL
);
