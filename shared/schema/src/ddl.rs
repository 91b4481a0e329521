//! What a statement does to the schema, as far as the rules and the plan need to know it.
//!
//! sqlparser reads the definitions of columns, keys and options. It knows only a part of MySQL's
//! ALTER TABLE and nothing of its partitions, so the outline of each statement is read here, word
//! by word. So a trigger is a trigger whatever is in it, and what can't be read is one clause
//! and not the whole statement.

mod alter;
mod definition;
mod head;
mod outline;
mod view;
mod words;

use super::statement::Statement;

/// A name of one part and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identifier {
    pub(super) name: String,
    pub(super) line: usize,
}

/// A table's or a view's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The database that leads it.
    pub(super) database: Option<String>,
    pub(super) name: String,
    /// It stands without quotes, and no database leads it.
    pub(super) bare: bool,
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ddl {
    CreateTable(Box<NewTable>),
    /// Also CREATE INDEX and DROP INDEX.
    AlterTable {
        table: Name,
        clauses: Vec<Clause>,
    },
    DropTables {
        tables: Vec<Name>,
        if_exists: bool,
    },
    RenameTables(Vec<(Name, Name)>),
    /// Also ALTER VIEW.
    CreateView(NewView),
    DropViews {
        views: Vec<Name>,
        if_exists: bool,
    },
    /// It has no place in a migration.
    Alien(Alien),
    /// It begins like a definition and can't be read.
    Unread {
        table: Option<Name>,
        fault: Unreadable,
    },
    /// It is no statement, because of this.
    NoSql(String),
}

/// Why a statement or a clause can't be read, and on which line of the file, where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) why: String,
    pub(super) line: Option<usize>,
}

impl From<&str> for Unreadable {
    fn from(why: &str) -> Self {
        Self {
            why: why.to_owned(),
            line: None,
        }
    }
}

/// What has no place in a migration; the texts are the words that it begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Alien {
    Trigger,
    Routine,
    Event,
    LockTables,
    Temporary,
    /// INSERT and the like, TRUNCATE, transactions.
    Data(String),
    /// Databases, users, the session and the server.
    Administration(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewTable {
    pub(super) name: Name,
    /// IF NOT EXISTS, or OR REPLACE.
    pub(super) conditional: bool,
    /// LIKE or SELECT, when it is made from another table.
    pub(super) copied: Option<&'static str>,
    pub(super) definition: Definition,
    pub(super) partitions: Option<Partitions>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewView {
    pub(super) name: Name,
    /// ALTER.
    pub(super) alters: bool,
    /// OR REPLACE, or ALTER.
    pub(super) replaces: bool,
    /// IF NOT EXISTS.
    pub(super) conditional: bool,
    /// The tables and views in its FROM.
    pub(super) reads: Vec<Name>,
    pub(super) json_table: bool,
}

/// Columns, keys and options, of a new table or of one clause of ALTER TABLE.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) columns: Vec<Column>,
    /// Those of the columns' own PRIMARY KEY and UNIQUE too.
    pub(super) keys: Vec<Key>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    /// Whether there are CHECKs, the columns' own too.
    pub(super) checks: bool,
    pub(super) options: Options,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// The name stands without quotes.
    pub(super) bare: bool,
    pub(super) line: usize,
    /// In capitals, as sqlparser writes it.
    pub(super) data_type: String,
    pub(super) not_null: bool,
    /// A row that does not name it gets a value, also by AUTO_INCREMENT or an expression.
    pub(super) has_default: bool,
    pub(super) default: Option<Given>,
    pub(super) on_update: Option<Given>,
    /// TEXT or BLOB of any size.
    pub(super) long: bool,
    pub(super) charset: Option<String>,
    pub(super) collation: Option<String>,
    /// The members of an ENUM or a SET.
    pub(super) members: Vec<String>,
}

/// What DEFAULT and ON UPDATE may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    Null,
    /// A text, a number and the like.
    Literal,
    /// CURRENT_TIMESTAMP, by whichever of its names, to so many digits of a second.
    Now(u32),
    /// An expression in parentheses.
    Expression,
    /// An expression without them.
    Bare,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: Option<String>,
    pub(super) line: usize,
    pub(super) kind: KeyKind,
    pub(super) parts: Vec<KeyPart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Primary,
    Unique,
    Plain,
    FullText,
    Spatial,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyPart {
    Column(String),
    /// The first characters of a column.
    Prefix(String),
    Expression,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignKey {
    pub(super) name: Option<String>,
    pub(super) line: usize,
    pub(super) columns: Vec<String>,
    pub(super) table: Name,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) line: usize,
    pub(super) engine: Option<String>,
    pub(super) charset: Option<String>,
    pub(super) collation: Option<String>,
}

/// What is said about partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partitions {
    pub(super) line: usize,
    /// RANGE, HASH, KEY, LIST.
    pub(super) method: String,
    pub(super) subpartitions: bool,
    pub(super) engines: Vec<String>,
}

/// One clause of ALTER TABLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) line: usize,
    pub(super) change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// ADD of columns, keys and foreign keys; table options.
    Define(Definition),
    /// MODIFY, and CHANGE, which may rename it too.
    Redefine {
        old: String,
        new: Definition,
        /// It goes to another place among the columns.
        moves: bool,
    },
    DropColumn(String),
    DropKey(String),
    DropPrimaryKey,
    /// A unique key, a check or a foreign key.
    DropConstraint(String),
    DropForeignKey,
    DropCheck,
    /// ALTER CHECK, which says whether it is enforced.
    TouchCheck,
    RenameColumn {
        old: String,
        new: String,
    },
    RenameKey {
        old: String,
        new: String,
    },
    RenameTable(Name),
    /// Of a clause that adds or redefines a column, the one that it is to stand behind.
    After(String),
    /// ALTER COLUMN, which changes its default or whether it is visible.
    TouchColumn(String),
    /// ALTER INDEX.
    TouchKey(String),
    Partition(Partitions),
    /// ADD PARTITION, or REMOVE PARTITIONING.
    TouchPartitions,
    DropPartitions,
    /// ALGORITHM or LOCK.
    HowToApply,
    /// It matters to no rule.
    Other,
    /// It can't be read.
    Unread(Unreadable),
}

impl Clause {
    /// Whether it makes room for what the others of its statement add.
    pub(super) fn is_drop(&self) -> bool {
        matches!(
            self.change,
            Change::DropColumn(_)
                | Change::DropKey(_)
                | Change::DropPrimaryKey
                | Change::DropConstraint(_)
        )
    }
}

impl Ddl {
    /// Reads the statement. Whatever it is, something can be said about it.
    pub(super) fn read(statement: &Statement) -> Self {
        outline::read(statement)
    }
}

#[cfg(test)]
mod tests;
