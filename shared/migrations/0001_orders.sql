-- Orders and their line items.
--
-- Every text compares byte by byte, so that ids and keys that differ in case are different. No
-- foreign key ties the tables: both are written in one transaction, and no row of either is ever
-- deleted.
--
-- Both tables have the customer, because the customer decides on the shard (vschema.json). So an
-- order and its items are always on the same shard.

CREATE TABLE orders (
  -- A UUIDv7: its first bits are the time, so the newest order has the greatest id.
  id BINARY(16) NOT NULL,
  -- A token's subject, which is ASCII: a byte for each character keeps the keys below short.
  customer_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- New statuses are added at the end of the list, which rewrites no row.
  status ENUM ('pending', 'paid', 'shipped', 'delivered', 'cancelled') NOT NULL,
  -- ISO 4217.
  currency CHAR(3) NOT NULL,
  total DECIMAL(14, 4) NOT NULL,
  -- 1 when placed, one more with each change.
  version INT UNSIGNED NOT NULL,
  -- SHA-256 of the Idempotency-Key and of the order as it was asked for, both NULL without a key.
  idempotency_key BINARY(32) NULL,
  request_hash BINARY(32) NULL,
  -- UTC.
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY by_idempotency_key (customer_id, idempotency_key),
  KEY by_customer (customer_id, id),
  KEY by_customer_status (customer_id, status, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE order_items (
  order_id BINARY(16) NOT NULL,
  customer_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- 0 for the first item, counting as the customer gave them.
  position TINYINT UNSIGNED NOT NULL,
  sku VARCHAR(64) NOT NULL,
  quantity INT UNSIGNED NOT NULL,
  unit_price DECIMAL(14, 4) NOT NULL,
  PRIMARY KEY (order_id, position)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Where an order is, by its id. Vitess alone writes and reads this, and only once the keyspace has
-- several shards.
CREATE TABLE order_shards (
  id BINARY(16) NOT NULL,
  keyspace_id VARBINARY(128) NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
