-- Some more changes in the tables of schema.sql, each time that it runs.

-- A new customer with an order: one transaction over four tables, as prices rise with it.
BEGIN;
INSERT INTO customers (name, email, balance, tags, created_at)
SELECT 'Uma Singh', 'uma' || max(id) + 1 || '@example.com', 0, '{new}', now() FROM customers;
INSERT INTO orders (customer_id, reference, status, total, placed_at)
SELECT max(id), gen_random_uuid(), 'open', 0, now() FROM customers;
INSERT INTO order_items (order_id, line, sku, quantity, price, gift)
SELECT (SELECT max(id) FROM orders), row_number() OVER (ORDER BY sku), sku, 2, price, false
FROM products ORDER BY sku LIMIT 3;
UPDATE orders SET total = (SELECT sum(quantity * price) FROM order_items WHERE order_id = orders.id)
WHERE id = (SELECT max(id) FROM orders);
UPDATE products SET price = price + 0.10, changed_at = now()
WHERE sku IN (SELECT sku FROM products ORDER BY sku LIMIT 3);
COMMIT;

-- Paid orders leave.
UPDATE orders SET status = 'shipped', shipped_at = now() WHERE status = 'paid';
UPDATE orders SET status = 'paid' WHERE id = (SELECT min(id) FROM orders WHERE status = 'open');

-- The long manuals do not change, so their events do not have them; then one does.
UPDATE products SET price = round(price * 1.02, 2), changed_at = now() WHERE length(manual) > 2000;
UPDATE products SET manual = manual || ' Read this twice.'
WHERE sku = (SELECT max(sku) FROM products WHERE length(manual) > 2000);

-- JSON, an array, and a NULL.
UPDATE customers SET preferences = coalesce(preferences, '{}') || '{"language": "pt"}', tags = tags || 'moved'::text
WHERE id % 6 = 2;
UPDATE customers SET born = NULL, balance = balance - 12.34 WHERE id = 7;

-- A cancelled order goes with its items, and a customer who never ordered.
DELETE FROM orders WHERE id = (SELECT min(id) FROM orders WHERE status = 'cancelled');
DELETE FROM customers
WHERE id = (SELECT max(id) FROM customers WHERE NOT EXISTS (SELECT FROM orders WHERE customer_id = customers.id));

-- A new edition has another key; the items of orders follow it. (It is of a product with a short
-- manual: the event of a new key would not have a long one.)
UPDATE products SET sku = split_part(sku, '.', 1) || '.' || split_part(sku, '.', 2)::integer + 1
WHERE sku = (SELECT max(sku) FROM products WHERE manual = 'Wipe it with a dry cloth.');

-- A row that comes and goes.
INSERT INTO products VALUES ('P999.1', 'sample', 0.00, NULL, '{}', NULL, now());
DELETE FROM products WHERE sku = 'P999.1';
