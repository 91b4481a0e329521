//! The rules. What each says stands in `shared/migrations/README.md`, and is read from there.

use std::fmt;

/// How bad a finding is.
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
    ($($rule:ident $code:literal)*) => {
        /// A rule. Its code is what an allowance names, and stands in the table of
        /// `shared/migrations/README.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the table documents each")]
        #[non_exhaustive]
        pub enum Rule { $($rule,)* }

        impl Rule {
            /// Every rule, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// Its name in messages and allowances.
            pub fn code(self) -> &'static str {
                match self { $(Self::$rule => $code,)* }
            }
        }
    };
}

rules! {
    NoSql "no-sql" Refused "refused" Empty "empty" NoChange "no-change" NotDdl "not-ddl"
    Reads "reads" Session "session" Maintenance "maintenance" Users "users"
    Administration "administration" Client "client" Trigger "trigger" Routine "routine"
    Event "event" LockTables "lock-tables" RenameColumn "rename-column" RenameTable "rename-table"
    Conditional "conditional" CopiedTable "copied-table" HowToApply "how-to-apply"
    OtherDatabase "other-database" Ledger "ledger" Vitess "vitess" OnlyMariaDb "only-mariadb"
    Engine "engine" Charset "charset" Partitioning "partitioning" ForeignKey "foreign-key"
    ConstraintName "constraint-name" NoKey "no-key" PrimaryKeyPart "primary-key-part"
    KeyReplaced "key-replaced" View "view" DropColumn "drop-column" DropTable "drop-table"
    DropPartition "drop-partition" DropAndAdd "drop-and-add" DropView "drop-view"
    DropIndex "drop-index" DuplicateIndex "duplicate-index"
    NotNullWithoutDefault "not-null-without-default" DroppedDefault "dropped-default"
    DroppedNotNull "dropped-not-null" BecomesNull "becomes-null" BecomesNotNull "becomes-not-null"
    LossyColumn "lossy-column" BecomesGenerated "becomes-generated"
    DefaultPerRow "default-per-row" NarrowerColumn "narrower-column" OtherType "other-type"
    MemberOrder "member-order" Collation "collation" UniqueOnRows "unique-on-rows"
    UniqueDefault "unique-default" CheckOnRows "check-on-rows"
    ForeignKeyOnRows "foreign-key-on-rows" PartitionedRows "partitioned-rows"
    Allowance "allowance"
}

/// The table of the rules.
const README: &str = include_str!("../../migrations/README.md");

impl Rule {
    /// A cell of its row.
    fn cell(self, column: usize) -> &'static str {
        let start = format!("| `{}` | ", self.code());
        let row = README
            .lines()
            .find_map(|line| line.strip_prefix(&start)?.strip_suffix(" |"));
        row.and_then(|row| row.split(" | ").nth(column))
            .unwrap_or_default()
    }

    /// How bad a finding is.
    pub fn severity(self) -> Severity {
        match self.cell(0).starts_with("warning") {
            true => Severity::Warning,
            false => Severity::Error,
        }
    }

    /// Whether a comment in the file can allow it. Nothing can allow what fails in production.
    pub fn is_allowable(self) -> bool {
        self.cell(0).ends_with("can be allowed")
    }

    /// What it finds.
    pub fn finds(self) -> &'static str {
        self.cell(1)
    }

    /// What to do instead.
    pub fn instead(self) -> &'static str {
        self.cell(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_rule_in_order() {
        let mut rest = README;
        for rule in Rule::ALL {
            let row = format!("\n| `{}` | {}", rule.code(), rule.severity());
            let (_, after) = rest.split_once(&row).unwrap_or_else(|| panic!("{row}"));
            rest = after;
            assert!(!rule.finds().is_empty() && !rule.instead().is_empty());
            assert_eq!(rule.cell(3), "", "{rule:?}");
        }
        let is_rule = |row: &&str| row.contains("` | error") || row.contains("` | warning");
        assert_eq!(README.lines().filter(is_rule).count(), Rule::ALL.len());
    }
}
