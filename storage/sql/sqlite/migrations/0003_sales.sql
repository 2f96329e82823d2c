-- What a shop may do beyond ordering for itself: words, a space between them.
ALTER TABLE shops ADD COLUMN rights TEXT NOT NULL DEFAULT '';

-- The keyed hash of the customer's number, to find orders by.
ALTER TABLE orders ADD COLUMN customer_lookup BLOB;
CREATE INDEX orders_by_shop ON orders (shop_id, order_id);
CREATE INDEX orders_by_customer ON orders (shop_id, customer_lookup, order_id) WHERE customer_lookup IS NOT NULL;

-- A line that renews or replaces a licence (extends_license_id) changes that licence in place, so that both share one
-- quantity and a container swaps them in one step. What the licence was before stands here as JSON, on the line.
ALTER TABLE licenses ADD COLUMN previous TEXT;

-- The rules of the item as they were when it was ordered (JSON), and the one container that a licence is for.
ALTER TABLE licenses ADD COLUMN rules TEXT NOT NULL DEFAULT '{}';
ALTER TABLE licenses ADD COLUMN dedicated_serial TEXT;
