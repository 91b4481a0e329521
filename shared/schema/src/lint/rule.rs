//! The rules, as messages and the README name them.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It may be meant so.
    Warning,
    /// The migration must not be deployed.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

macro_rules! rules {
    ($($rule:ident, $code:literal, $severity:ident, $allowable:literal,
        $refuses:literal, $instead:literal;)*) => {
        /// A rule. Its code is what an allowance names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = $refuses] $rule,)*
        }

        impl Rule {
            /// Every rule, in the order of the README.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// Its name in messages and allowances.
            pub fn code(self) -> &'static str {
                match self { $(Self::$rule => $code,)* }
            }

            /// How bad a finding is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity,)* }
            }

            /// Whether a comment in the file can allow it. What PlanetScale itself refuses, none can.
            pub fn is_allowable(self) -> bool {
                match self { $(Self::$rule => $allowable,)* }
            }

            /// What it is about.
            pub fn refuses(self) -> &'static str {
                match self { $(Self::$rule => $refuses,)* }
            }

            /// What to do in place of it.
            pub fn instead(self) -> &'static str {
                match self { $(Self::$rule => $instead,)* }
            }
        }
    };
}

rules! {
    NoSql, "no-sql", Error, false,
        "text that is no statement",
        "correct it";
    NotUnderstood, "not-understood", Error, true,
        "a definition that the linter can't read",
        "correct it, or write it in another way; before you allow it, hold it against the other rules yourself";
    Empty, "empty", Error, false,
        "a file without a statement",
        "write one, or delete the file";
    NotDdl, "not-ddl", Error, false,
        "statements that change rows, TRUNCATE, transactions, temporary tables",
        "a deploy request carries the schema alone: change rows from a program, in small steps";
    Administration, "administration", Error, false,
        "databases, users, grants, SET, USE and other orders to the server",
        "they are PlanetScale's part: use its settings and passwords";
    Trigger, "trigger", Error, false,
        "triggers",
        "write the rows that belong together in one transaction of the program";
    Routine, "routine", Error, false,
        "procedures and functions",
        "write it in the program";
    Event, "event", Error, false,
        "events",
        "call a function by a schedule of EventBridge";
    LockTables, "lock-tables", Error, false,
        "LOCK TABLES and UNLOCK TABLES",
        "leave it out: a deploy request changes tables while they are used";
    ForeignKey, "foreign-key", Error, false,
        "foreign keys, where the database does not allow them",
        "write both rows in one transaction; or allow foreign keys in the database's settings on PlanetScale, and lint with `--foreign-keys`";
    Engine, "engine", Error, false,
        "engines other than InnoDB",
        "write ENGINE = InnoDB, or nothing";
    Charset, "charset", Error, false,
        "character sets other than utf8mb4, utf8mb3, utf8, latin1 and ascii, and collations that only MariaDB has",
        "take utf8mb4 and a collation that MySQL has, and VARBINARY for bytes";
    Type, "type", Error, true,
        "a type that MySQL does not have, or VARCHAR or VARBINARY without a length",
        "take one of MySQL's, as BINARY(16) for a UUID";
    Default, "default", Error, true,
        "an expression as a default without parentheses, CURRENT_TIMESTAMP with other digits than its column, a literal as the default of TEXT, BLOB, JSON, VECTOR or a geometry",
        "put what is no CURRENT_TIMESTAMP into parentheses, and give CURRENT_TIMESTAMP the digits of its column";
    Reserved, "reserved", Error, true,
        "a new name without quotes that is a word of MySQL's",
        "choose another name, or put it in backticks wherever it is used";
    Partitioning, "partitioning", Error, false,
        "partitions by LIST, subpartitions, partitions of another engine",
        "partition by RANGE, HASH or KEY, or not at all";
    NoKey, "no-key", Error, false,
        "a table without a primary key or a unique key over whole NOT NULL columns, none of them TEXT or BLOB",
        "add a primary key";
    PrimaryKeyPart, "primary-key-part", Error, false,
        "a primary key over TEXT, BLOB, JSON or the first characters of a column",
        "make the primary key of whole, short columns";
    KeyPart, "key-part", Error, true,
        "an index over a whole TEXT or BLOB, or over JSON",
        "index the first characters, as `note(20)`, or an expression";
    KeyReplaced, "key-replaced", Error, true,
        "a change after which no old unique key has all its columns left, or no new one had all its columns before",
        "do it in two migrations, each deployed by itself: add the column, then change the key";
    RenameColumn, "rename-column", Error, false,
        "renamed columns",
        "PlanetScale takes it for a drop and an add, and the data is lost: add the new column, write both, copy the rows, read the new one, then drop the old one";
    RenameTable, "rename-table", Error, false,
        "renamed tables",
        "PlanetScale takes it for a drop and an add, and the rows are lost: create the new table, write both, copy the rows, read the new one, then drop the old one";
    DropColumn, "drop-column", Error, true,
        "dropped columns",
        "first deploy code that no longer uses it";
    DropTable, "drop-table", Error, true,
        "dropped tables",
        "first deploy code that no longer uses it";
    DropPartition, "drop-partition", Error, true,
        "dropped partitions",
        "copy the rows that are still needed first";
    NotNullWithoutDefault, "not-null-without-default", Error, true,
        "a NOT NULL column without a default on a table that is there",
        "the code that runs meanwhile does not write it: give it a default, or make it NULL and NOT NULL later";
    BecomesNotNull, "becomes-not-null", Warning, true,
        "a column that was NULL and becomes NOT NULL",
        "the deployment fails at the first NULL: fill them all before";
    NarrowerColumn, "narrower-column", Warning, true,
        "a column whose new type holds less",
        "the deployment fails at the first value that does not fit, or cuts it: look for such values before";
    Conditional, "conditional", Error, false,
        "IF EXISTS, IF NOT EXISTS, and OR REPLACE of a table",
        "leave it out: each migration runs once, on a schema that is known";
    CopiedTable, "copied-table", Error, false,
        "CREATE TABLE … LIKE and CREATE TABLE … SELECT",
        "write out the columns and keys";
    TableExists, "table-exists", Error, true,
        "a table or a view that an earlier statement has created",
        "choose another name, or alter the one that is there";
    NoSuchTable, "no-such-table", Error, true,
        "a table or a view that no earlier statement has created",
        "correct the name, or create it before";
    ColumnExists, "column-exists", Error, true,
        "a column that the table has already",
        "choose another name, or modify the one that is there";
    NoSuchColumn, "no-such-column", Error, true,
        "a column that the table does not have",
        "correct the name, or add it before";
    IndexExists, "index-exists", Error, true,
        "an index that the table has already, by its name",
        "leave it out, or choose another name";
    DuplicateIndex, "duplicate-index", Warning, true,
        "an index over the same columns as another one",
        "leave it out: each index costs at every write";
    NoSuchIndex, "no-such-index", Error, true,
        "an index that the table does not have",
        "correct the name";
    DuplicateValue, "duplicate-value", Error, false,
        "an ENUM or a SET that names a value twice",
        "name it once";
    View, "view", Error, true,
        "a view of a table that is not there, or with JSON_TABLE",
        "change or drop the view first";
    OtherDatabase, "other-database", Error, false,
        "names that lead with a database's",
        "leave it out: each environment has its own name for it";
    Ledger, "ledger", Error, false,
        "changes of the table `schema_migrations`",
        "leave it alone: it records the migrations";
    HowToApply, "how-to-apply", Warning, false,
        "ALGORITHM and LOCK",
        "leave it out: it counts for nothing in a deploy request";
    Allowance, "allowance", Error, false,
        "an allowance without a reason, of a rule that knows none, or that allows nothing",
        "write `-- allow CODE: reason` on a line before the statement, or remove it";
}
