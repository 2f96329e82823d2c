-- Rules about client addresses, one document after the other: the last one is in force, none is ever changed.
CREATE TABLE filter_documents (
    version    INTEGER PRIMARY KEY CHECK (version > 0),
    rules      TEXT NOT NULL,
    author     TEXT NOT NULL,
    written_at INTEGER NOT NULL,
    comment    TEXT NOT NULL,
    diff       TEXT NOT NULL
) STRICT;

-- What proves that a request comes from this shop.
ALTER TABLE shops ADD COLUMN access_policy TEXT NOT NULL DEFAULT 'credential'
    CHECK (access_policy IN ('ip', 'credential', 'ip AND credential', 'ip OR credential'));

-- Who may use the Admin interface.
CREATE TABLE administrators (
    name       TEXT PRIMARY KEY,
    lookup     BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER                              -- later
) STRICT, WITHOUT ROWID;
