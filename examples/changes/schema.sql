-- The tables of a small shop, with some rows in each, as `pg_changes` finds them. They belong to
-- the role that captures them, so that it may put them into a publication.

CREATE TYPE order_status AS ENUM ('open', 'paid', 'shipped', 'cancelled');

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL UNIQUE,
    born date,
    balance numeric(12, 2) NOT NULL,
    tags text[] NOT NULL,
    preferences jsonb,
    created_at timestamptz NOT NULL
);

-- A number of the shelf, a point, and the edition. It changes with each edition.
CREATE TABLE products (
    sku text PRIMARY KEY,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL,
    sizes integer[],
    attributes jsonb NOT NULL,
    manual text,
    changed_at timestamptz NOT NULL
);
-- A long manual is stored out of line as it is (TOAST), and events of other columns do not have it.
ALTER TABLE products ALTER manual SET STORAGE EXTERNAL;

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    reference uuid NOT NULL,
    status order_status NOT NULL,
    total numeric(12, 2) NOT NULL,
    details jsonb,
    placed_at timestamptz NOT NULL,
    shipped_at timestamptz
);

CREATE TABLE order_items (
    order_id bigint REFERENCES orders ON DELETE CASCADE,
    line smallint,
    sku text NOT NULL REFERENCES products ON UPDATE CASCADE,
    quantity integer NOT NULL,
    price numeric(10, 2) NOT NULL,
    discounts numeric(5, 2)[],
    gift boolean NOT NULL,
    PRIMARY KEY (order_id, line)
);
-- A list of numbers that does not change comes as NULL if it is stored out of line, unless events
-- have the whole row as it was before.
ALTER TABLE order_items REPLICA IDENTITY FULL;

INSERT INTO customers (name, email, born, balance, tags, preferences, created_at)
SELECT name, lower(split_part(name, ' ', 1)) || n || '@example.com',
    CASE WHEN n % 5 > 0 THEN date '1961-03-14' + n::integer * 701 END,
    (n * 7919 % 100000 - 20000) / 100.0,
    CASE n % 3 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['newsletter'] ELSE ARRAY['newsletter', 'says "hello", often'] END,
    CASE WHEN n % 4 > 0 THEN jsonb_build_object('language', (ARRAY['en', 'de', 'fr'])[1 + n % 3], 'limit', n * 2.50,
        'phone', NULL) END,
    timestamptz '2026-01-05 08:00:00Z' + n * interval '31 hours 7 minutes 1.234567 seconds'
FROM unnest(ARRAY['Ann Archer', 'Björn Åberg', 'Chloé Dupont', 'Dariusz Łukasik', 'Ebru Yılmaz', 'Félix Núñez',
    'Grace O''Neill', 'Hana Nováková', 'Ivan Petrović', 'Jun Tanaka', 'Kofi Mensah', 'Lea Müller', 'Marta Ruiz',
    'Noor Haddad', 'Olga Ivanova', 'Paul van Dijk', 'Quinn Baker', 'Rosa Conti', 'Sean Walsh', 'Tove Holm'])
    WITH ORDINALITY AS customer (name, n)
ORDER BY n;

INSERT INTO products (sku, name, price, sizes, attributes, manual, changed_at)
SELECT format('P%s.1', 100 + n), name, n * 7 + 0.90,
    CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN ARRAY[n::integer] ELSE ARRAY[36, NULL, 40 + n::integer]
    END,
    jsonb_build_object('weight', n * 0.125, 'colours', jsonb_build_array('black', 'white'), 'fragile', n % 3 = 0),
    CASE WHEN n % 3 = 0 THEN (
        SELECT string_agg(format('%s. Of the %s, clean part %s before part %s.', step, name, step * n, step + n), ' ')
        FROM generate_series(1, 120) AS step)
    WHEN n % 3 = 1 THEN 'Wipe it with a dry cloth.' END,
    timestamptz '2026-02-01 06:30:00+01' + n * interval '1 day 0.000001 seconds'
FROM unnest(ARRAY['kettle', 'mug', 'teapot', 'tray', 'grinder', 'scale', 'filter', 'jar', 'spoon', 'press', 'thermos',
    'apron', 'lamp', 'clock', 'stool', 'basket', 'bottle', 'towel', 'board', 'knife'])
    WITH ORDINALITY AS product (name, n);

INSERT INTO orders (customer_id, reference, status, total, details, placed_at, shipped_at)
SELECT 1 + n * 7 % 17, md5('order ' || n)::uuid,
    (ARRAY['open', 'paid', 'shipped', 'cancelled'])[1 + n % 4]::order_status, 0,
    CASE WHEN n % 2 = 0 THEN jsonb_build_object('note', 'ring "twice", №' || n, 'parcels', jsonb_build_array(n, n + 0.5))
    END, placed, CASE WHEN n % 4 = 2 THEN placed + interval '2 days' END
FROM generate_series(1, 20) AS n,
    LATERAL (SELECT timestamptz '2026-03-01 09:15:00Z' + n * interval '5 hours 0.5 seconds' AS placed) AS clock
ORDER BY n;

INSERT INTO order_items (order_id, line, sku, quantity, price, discounts, gift)
SELECT orders.id, line, sku, 1 + (orders.id + line) % 4, price,
    CASE (orders.id + line) % 3 WHEN 0 THEN NULL WHEN 1 THEN ARRAY[2.50, NULL] ELSE ARRAY[10.00] END, line = 2
FROM orders, generate_series(1, 2) AS line, products
WHERE sku = format('P%s.1', 101 + (orders.id * 3 + line * 5) % 20);

UPDATE orders SET total = (SELECT sum(quantity * price) FROM order_items WHERE order_id = orders.id);
