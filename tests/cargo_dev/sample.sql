-- 300 orders of 40 customers, the same on every machine, so that an id from a document works
-- everywhere. They are eleven hours apart and begin at 2026-01-05T08:00:00Z.

INSERT INTO orders (id, customer_id, status, currency, total, version, created_at, updated_at)
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 299)
SELECT
  -- A UUIDv7 of the order's time.
  UNHEX(CONCAT(LPAD(HEX(1767600000000 + n * 39601234), 12, '0'), '7', LEFT(SHA2(n, 256), 3), '8', RIGHT(SHA2(n, 256), 15))),
  CONCAT('cust-', LPAD(1 + n * 17 % 40, 4, '0')),
  ELT(1 + n * 7 DIV 3 % 5, 'delivered', 'shipped', 'paid', 'pending', 'cancelled'),
  ELT(1 + n DIV 7 % 4, 'EUR', 'USD', 'JPY', 'GBP'),
  0,
  ELT(1 + n * 7 DIV 3 % 5, 4, 3, 2, 1, 2),
  TIMESTAMPADD(MICROSECOND, n * 39601234000, '2026-01-05 08:00:00'),
  TIMESTAMPADD(DAY, ELT(1 + n * 7 DIV 3 % 5, 3, 2, 1, 0, 1),
    TIMESTAMPADD(MICROSECOND, n * 39601234000, '2026-01-05 08:00:00'))
FROM numbers;

INSERT INTO order_items (order_id, customer_id, position, sku, quantity, unit_price)
SELECT
  id,
  customer_id,
  position,
  ELT(1 + (n * 3 + position * 5) % 8,
    'TEA-1', 'TEA-2', 'COFFEE-1', 'COFFEE-DECAF', 'MUG-WHITE', 'MUG-BLUE', 'POT-GLASS', 'KETTLE'),
  1 + (n + position) % 3,
  ELT(1 + (n * 3 + position * 5) % 8, 4.50, 6.20, 8.90, 9.40, 12.00, 13.50, 39.00, 54.50)
    * IF(currency = 'JPY', 100, 1)
FROM (SELECT id, customer_id, currency, ROW_NUMBER() OVER (ORDER BY id) - 1 AS n FROM orders) AS numbered
JOIN (SELECT 0 AS position UNION SELECT 1 UNION SELECT 2 UNION SELECT 3) AS positions
  ON position <= n % 4;

UPDATE orders
SET total = (SELECT SUM(quantity * unit_price) FROM order_items WHERE order_id = id);
