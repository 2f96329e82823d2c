-- What a credential is, beside the keyed hash that it is found by. `material` is what of it can be shown: the certificate
-- (DER). `sealed` is what cannot: the secret of a username, since a digest is computed from the secret itself. From
-- valid_from on and before valid_until it holds, NULL: without such a bound.
ALTER TABLE credentials ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN sealed BYTEA;
ALTER TABLE credentials ADD COLUMN material BYTEA;
ALTER TABLE credentials ADD COLUMN valid_from BIGINT;
ALTER TABLE credentials ADD COLUMN valid_until BIGINT;

-- What proves the shop at Sales and at the Depot. A server of an earlier version goes by access_policy, which says the
-- same where it can, and asks for more where it cannot; NULL: as access_policy says.
ALTER TABLE shops ADD COLUMN sales_policy TEXT
    CHECK (sales_policy IN ('ip', 'credential', 'mtls', 'signature', 'ip AND credential', 'ip AND mtls',
                            'ip AND signature', 'ip OR credential', 'ip OR mtls', 'ip OR signature'));
ALTER TABLE shops ADD COLUMN depot_policy TEXT NOT NULL DEFAULT 'credential'
    CHECK (depot_policy IN ('credential', 'mtls', 'signature', 'ip AND credential', 'ip AND mtls', 'ip AND signature'));

-- Ordering and reading were nothing that a shop could lack.
UPDATE shops SET rights = 'order read' WHERE rights = '';
UPDATE shops SET rights = 'extend-any order read' WHERE rights = 'extend-any';

-- What an administrator may do: words, a space between them.
ALTER TABLE administrators ADD COLUMN roles TEXT NOT NULL DEFAULT 'all';
