\set customer random(1, 1000)
\set first random(1, 1000)
\set second random(1001, 2000)
\set third random(2001, 3000)
\set quantity random(1, 5)
BEGIN;
SELECT uuidv7() AS placed, name FROM users WHERE id = {customer} \gset
SELECT id, name, amount, currency, stock FROM products WHERE id IN ({first}, {second}, {third}) ORDER BY id FOR UPDATE;
WITH sold AS (UPDATE products SET stock = stock - :quantity::int, version = version + 1 WHERE id IN ({first}, {second}, {third})), placed AS (INSERT INTO orders VALUES (:placed::uuid, {customer}, 'placed', 1)) INSERT INTO order_lines VALUES (:placed::uuid, {first}, :quantity::int), (:placed::uuid, {second}, :quantity::int), (:placed::uuid, {third}, :quantity::int);
INSERT INTO outbox (topic, type, subject, actor, data) VALUES ('orders', 'order.placed', :placed::uuid, 'caller', '{order_placed}'), ('products', 'product.reserved', {first}, NULL, '{product_reserved}'), ('products', 'product.reserved', {second}, NULL, '{product_reserved}'), ('products', 'product.reserved', {third}, NULL, '{product_reserved}');
END;
