CREATE TABLE customers (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  email VARCHAR(255) NOT NULL,
  name VARCHAR(100) NOT NULL DEFAULT '',
  age INT NULL,
  plan ENUM ('free', 'pro') NOT NULL DEFAULT 'free',
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (id),
  UNIQUE KEY by_email (email),
  KEY by_name (name)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE orders (
  id BINARY(16) NOT NULL,
  customer_id BIGINT UNSIGNED NOT NULL,
  status ENUM ('pending', 'paid', 'shipped') NOT NULL,
  total DECIMAL(14, 4) NOT NULL,
  note VARCHAR(255) NULL,
  quantity INT UNSIGNED NOT NULL DEFAULT 1,
  big BIGINT NULL,
  ratio DOUBLE NULL,
  code CHAR(8) CHARACTER SET ascii COLLATE ascii_general_ci NULL,
  body TEXT NULL,
  flags SET ('gift', 'express') NULL,
  placed DATETIME(6) NULL,
  day DATE NULL,
  rate DOUBLE(10, 2) NULL,
  mask BIT(8) NULL,
  exact DECIMAL(65, 30) NULL,
  doubled INT AS (quantity * 2) STORED,
  CONSTRAINT positive CHECK (quantity > 0),
  PRIMARY KEY (id),
  KEY by_customer (customer_id, id),
  KEY by_code (code),
  KEY by_placed (placed)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE events (
  id BIGINT NOT NULL,
  day DATE NOT NULL,
  kind VARCHAR(20) NOT NULL,
  PRIMARY KEY (id, day)
) PARTITION BY RANGE COLUMNS (day) (
  PARTITION p2026 VALUES LESS THAN ('2027-01-01'),
  PARTITION p2027 VALUES LESS THAN ('2028-01-01')
);

CREATE TABLE pairs (
  a INT NOT NULL,
  b INT NOT NULL,
  c INT NULL,
  PRIMARY KEY (a, b)
);

CREATE VIEW totals AS SELECT id, total FROM orders;
