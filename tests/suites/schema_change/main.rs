//! Migrations on their way to production. An interpreter runs the state machine's own definition with
//! the function's own program, on a stand-in of PlanetScale's control plane. Its branches are schemas
//! of a MySQL server. With `--vitess`, each branch has a Vitess of its own.

mod faults;
mod pipeline;
mod refused;
mod repeated;
mod start;
mod succeeds;

/// A migration that adds a table.
const NOTES: &str = "
CREATE TABLE notes (
  id BIGINT UNSIGNED NOT NULL,
  text VARCHAR(500) NOT NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
";

/// A migration that adds a column.
const CHANNEL: &str = "ALTER TABLE orders ADD COLUMN channel VARCHAR(20) NULL;";

/// A migration that adds two tables.
const TWO_TABLES: &str = "
CREATE TABLE first_table (id BIGINT NOT NULL, PRIMARY KEY (id)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
CREATE TABLE second_table (id BIGINT NOT NULL, PRIMARY KEY (id)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
";
