-- The write store: what decisions need to know, one row of state for each aggregate.
-- What decisions do not need (addresses, descriptions, carriers) stands in the log alone.

CREATE TABLE users (
    id          uuid PRIMARY KEY,
    name        text,
    email       text,
    email_key   text UNIQUE,
    version     integer NOT NULL CHECK (version > 0),
    erased      boolean NOT NULL DEFAULT false,
    CHECK (erased = (name IS NULL)),
    CHECK (erased = (email IS NULL)),
    CHECK (erased = (email_key IS NULL))
) WITH (fillfactor = 80);

CREATE TABLE products (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    amount      bigint NOT NULL CHECK (amount >= 0),
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    stock       bigint NOT NULL CHECK (stock >= 0),
    retired     boolean NOT NULL DEFAULT false,
    version     integer NOT NULL CHECK (version > 0)
) WITH (fillfactor = 50);

CREATE TABLE orders (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES users,
    status      text NOT NULL CHECK (status IN ('placed', 'shipped', 'delivered', 'cancelled')),
    anonymized  boolean NOT NULL DEFAULT false,
    version     integer NOT NULL CHECK (version > 0)
) WITH (fillfactor = 80);

CREATE INDEX orders_to_anonymize ON orders (customer_id) WHERE NOT anonymized;

CREATE TABLE order_lines (
    order_id    uuid NOT NULL REFERENCES orders,
    product_id  uuid NOT NULL REFERENCES products,
    quantity    integer NOT NULL CHECK (quantity BETWEEN 1 AND 10000),
    PRIMARY KEY (order_id, product_id)
);

-- Customers who were erased, and whether their orders have been anonymized since.
CREATE TABLE erasures (
    user_id     uuid PRIMARY KEY REFERENCES users,
    actor       text,
    finished    boolean NOT NULL DEFAULT false
);
CREATE INDEX erasures_to_finish ON erasures (user_id) WHERE NOT finished;

-- The key of the hashes that tell one request from another under the same idempotency key.
CREATE TABLE installation (
    request_key bytea NOT NULL
);
INSERT INTO installation VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- One row for each transaction of commands: whether it is there answers an ambiguous COMMIT.
-- `abandoned` marks the row of one that was asked about and found never to be committed.
CREATE TABLE batches (
    id          uuid PRIMARY KEY,
    abandoned   boolean NOT NULL DEFAULT false,
    started_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX batches_by_age ON batches USING brin (started_at);

-- The answers that state decided, to be given again. The request is kept as a keyed hash only.
CREATE TABLE answers (
    caller      text NOT NULL,
    key         text NOT NULL,
    request     bytea NOT NULL,
    id          uuid,
    version     integer,
    token       text,
    reason      text,
    detail      text,
    given_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);
CREATE INDEX answers_by_age ON answers USING brin (given_at);
