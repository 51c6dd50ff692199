-- Tandem's write store with a conventional outbox, whose sequence is not in commit order.
CREATE TABLE users (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    email       text UNIQUE
) WITH (fillfactor = 80);
CREATE TABLE products (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    amount      bigint NOT NULL CHECK (amount >= 0),
    currency    text NOT NULL,
    stock       bigint NOT NULL CHECK (stock >= 0),
    version     integer NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE orders (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES users,
    status      text NOT NULL,
    version     integer NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX orders_of_customer ON orders (customer_id);
CREATE TABLE order_lines (
    order_id    uuid NOT NULL REFERENCES orders,
    product_id  uuid NOT NULL REFERENCES products,
    quantity    integer NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
CREATE TABLE outbox (
    number      bigserial PRIMARY KEY,
    event_id    uuid NOT NULL DEFAULT gen_random_uuid(),
    topic       text NOT NULL,
    type        text NOT NULL,
    subject     uuid NOT NULL,
    actor       text,
    time        timestamptz NOT NULL DEFAULT now(),
    data        json NOT NULL
);
INSERT INTO users
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Customer ' || n,
       'customer' || n || '@example.com'
FROM generate_series(1, 1000) AS n;
INSERT INTO products
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Product ' || n,
       100 + n % 900, 'EUR', 500000000, 1
FROM generate_series(1, 3000) AS n;
VACUUM ANALYZE;
