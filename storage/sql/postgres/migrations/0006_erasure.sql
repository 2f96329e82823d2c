-- When the personal data of an order was erased.
ALTER TABLE orders ADD COLUMN erased_at BIGINT;

-- The last order that the sweep of old personal data has passed.
ALTER TABLE server ADD COLUMN swept_to TEXT COLLATE "C" NOT NULL DEFAULT '';
