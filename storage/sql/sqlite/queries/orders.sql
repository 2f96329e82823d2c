-- name: order_id_by_number
SELECT order_id FROM orders WHERE shop_id = :shop_id AND order_number = :order_number;

-- name: add_answer
INSERT INTO answers (shop_id, operation, transaction_id, request_hash, answer_sealed, created_at)
VALUES (:shop_id, :operation, :transaction_id, :request_hash, :answer_sealed, :created_at);

-- name: add_ticket
INSERT INTO tickets (ticket_id, lookup, sealed, created_at) VALUES (:ticket_id, :lookup, :sealed, :created_at);

-- name: add_order
INSERT INTO orders (order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at)
VALUES (:order_id, :shop_id, :transaction_id, :order_number, :ticket_id, :customer_sealed, :created_at);

-- name: add_license
INSERT INTO licenses (
    license_id, order_id, line_number, ticket_id, item_number, firm_code, product_code, quantity, generation,
    options, extends_license_id, withdrawn, version, created_at
) VALUES (
    :license_id, :order_id, :line_number, :ticket_id, :item_number, :firm_code, :product_code, :quantity, :generation,
    :options, :extends_license_id, :withdrawn, :version, :created_at
);
