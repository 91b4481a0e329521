//! The rules on what a migration has changed, from its start to its end.

mod column;
mod key;

use crate::{
    check::Options,
    difference::{Difference, differences},
    rule::Rule,
    snapshot::{Kind, Make, Part, Row, Subject, Table, Tables, quoted},
};

/// Something that breaks a rule.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) subject: Subject,
    pub(crate) rule: Rule,
    pub(crate) what: String,
    /// Finds the rows that are in the way.
    pub(crate) query: Option<String>,
}

/// PlanetScale's documentation, "MySQL compatibility".
const CHARSETS: [&str; 5] = ["utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"];

/// What is in the names of collations that only MariaDB has.
const MARIADB_COLLATIONS: [&str; 5] = ["uca1400", "nopad", "mysql561", "myanmar", "thai_520"];

/// 64 characters without the suffix that Vitess appends (its `schemadiff/names.go`).
const LONGEST_CONSTRAINT: usize = 38;

/// Everything about the end of a migration that breaks a rule.
pub(crate) fn judge(start: &Tables, end: &Tables, make: Make, options: &Options) -> Vec<Judgement> {
    let (nothing, mut judged, mut last) = (Table::default(), Vec::new(), None);
    for Difference { subject, old, new } in differences(start, end) {
        let mut judge = Judge {
            old: start.get(&subject.table).map(AsRef::as_ref),
            new: end.get(&subject.table).map_or(&nothing, AsRef::as_ref),
            mariadb: make == Make::MariaDb,
            options,
            subject: subject.clone(),
            judged: &mut judged,
        };
        judge.part(old, new);
        // Once for each table that has changed.
        if last.replace(&subject.table) != Some(&subject.table)
            && let Some(table) = judge.new.part(Kind::Table, "")
        {
            judge.subject = table.subject.clone();
            judge.row_keys();
        }
    }
    judged
}

/// The rules on one part of a table that was added, dropped or changed.
struct Judge<'s> {
    /// The table at the start of the migration, if it was there.
    old: Option<&'s Table>,
    new: &'s Table,
    mariadb: bool,
    options: &'s Options,
    subject: Subject,
    judged: &'s mut Vec<Judgement>,
}

impl Judge<'_> {
    /// Reports a sentence in which `{}` is the part.
    fn report(&mut self, rule: Rule, what: &str) {
        self.report_rows(rule, what, None);
    }

    fn report_rows(&mut self, rule: Rule, what: &str, query: Option<String>) {
        let subject = self.subject.clone();
        let what = what.replace("{}", &subject.to_string());
        self.judged.push(Judgement {
            subject,
            rule,
            what,
            query,
        });
    }

    fn part(&mut self, old: Option<&Part>, new: Option<&Part>) {
        match (self.subject.kind, old, new) {
            (Kind::Table, _, None) => self.report(Rule::DropTable, "drops {} and its rows"),
            (Kind::Table, old, Some(new)) => self.table(old, new),
            (Kind::View, _, None) => self.report(Rule::DropView, "drops {}"),
            (Kind::View, old, Some(new)) => self.view(old, new),
            (Kind::Column, None, Some(new)) => self.added_column(new),
            (Kind::Column, _, None) => self.dropped_column(),
            (Kind::Column, Some(old), Some(new)) => self.changed_column(old, new),
            (Kind::Index, None, Some(new)) => self.added_key(new),
            (Kind::Index, Some(old), None) => self.dropped_key(old),
            (Kind::Index, Some(old), Some(new)) => self.changed_key(old, new),
            (Kind::Check, Some(old), None) if self.goes_with_column(old) => {}
            (Kind::Check | Kind::ForeignKey, _, None) => {
                self.report(Rule::ConstraintName, "drops or changes {}");
            }
            (Kind::Check, _, Some(new)) => {
                self.constraint_name();
                if self.old.is_some() && new.is("enforced") {
                    let clause = match self.mariadb {
                        true => new.text("clause").to_owned(),
                        false => unescaped(new.text("clause")),
                    };
                    let query = self.rows_where(&format!("NOT ({clause})"));
                    self.report_rows(Rule::CheckOnRows, "{} is new", query);
                }
            }
            (Kind::ForeignKey, _, Some(new)) => {
                self.constraint_name();
                self.added_foreign_key(new);
            }
            (Kind::Partitioning, old, Some(new)) => {
                self.partitions(old.map_or(&[], |old| &old.rows), &new.rows);
            }
            (Kind::Partitioning | Kind::Index, _, None) => {}
        }
    }

    fn table(&mut self, old: Option<&Part>, new: &Part) {
        let (table_type, engine) = (new.text("type"), new.text("engine"));
        if self.mariadb && table_type != "BASE TABLE" {
            self.report(
                Rule::OnlyMariaDb,
                &format!("{{}} is {}", table_type.to_lowercase()),
            );
        }
        if !engine.eq_ignore_ascii_case("InnoDB") {
            self.report(Rule::Engine, &format!("{{}} has the engine {engine}"));
        }
        if old.is_none_or(|old| old.get("collation") != new.get("collation")) {
            self.collation(new.text("collation"));
        }
    }

    /// The rules on a collation, whose name begins with its character set's.
    fn collation(&mut self, collation: &str) {
        let charset = collation.split('_').next().unwrap_or_default();
        if !CHARSETS.contains(&charset) {
            self.report(
                Rule::Charset,
                &format!("{{}} has the character set {charset}"),
            );
        } else if MARIADB_COLLATIONS
            .iter()
            .any(|part| collation.contains(part))
        {
            self.report(
                Rule::OnlyMariaDb,
                &format!("{{}} has the collation {collation}"),
            );
        }
    }

    fn view(&mut self, old: Option<&Part>, new: &Part) {
        let lost = |old: &Part| {
            old.columns()
                .iter()
                .any(|column| !new.columns().contains(column))
        };
        if !new.is("valid") && old.is_none_or(|old| old.is("valid")) {
            let what = "{} reads what is not there, or is defined by a user who is not there";
            self.report(Rule::View, what);
        } else if new
            .text("definition")
            .to_lowercase()
            .contains("json_table(")
        {
            self.report(
                Rule::View,
                "{} uses JSON_TABLE, which PlanetScale does not have",
            );
        } else if old.is_some_and(lost) {
            self.report(Rule::DropView, "{} loses a column");
        }
    }

    fn constraint_name(&mut self) {
        if self.subject.name.len() > LONGEST_CONSTRAINT {
            self.report(Rule::ConstraintName, "the name of {} is too long");
        }
    }

    /// Whether the CHECK is about a dropped column, with which it goes by itself.
    fn goes_with_column(&self, check: &Part) -> bool {
        let mut columns = self.old.into_iter().flat_map(|old| &old.columns);
        columns.any(|name| {
            self.new.column(name).is_none() && check.text("clause").contains(&quoted(name))
        })
    }

    fn partitions(&mut self, old: &[Row], new: &[Row]) {
        let limits = || new.iter().filter_map(|partition| partition.get("limit"));
        if new
            .iter()
            .any(|partition| partition.text("method").contains("LIST"))
        {
            self.report(Rule::Partitioning, "{} is by LIST");
        }
        if new
            .iter()
            .any(|partition| partition.get("sub_method").is_some())
        {
            self.report(Rule::Partitioning, "{} has subpartitions");
        }
        if limits().any(|limit| limit.contains(',') && limit.contains("MAXVALUE")) {
            self.report(Rule::Partitioning, "{} has MAXVALUE in a list of limits");
        }
        let takes_all = limits().next_back().is_none_or(|limit| limit == "MAXVALUE");
        let continues = !old.is_empty() && new.starts_with(old);
        if self.old.is_some() && !takes_all && !continues {
            self.report(Rule::PartitionedRows, "{} is new and has a limit");
        }
    }

    /// The query of rows for which the condition is true. None where it is about a new column.
    fn rows_where(&self, condition: &str) -> Option<String> {
        let known = |name: &str| self.old.is_some_and(|old| old.column(name).is_some());
        let mut columns = self.new.columns.iter();
        let is_new = columns.any(|name| !known(name) && condition.contains(&quoted(name)));
        let table = quoted(&self.subject.table);
        (!is_new).then(|| format!("SELECT * FROM {table} WHERE {condition} LIMIT 10"))
    }
}

/// An expression as MySQL takes it. Its `information_schema` has a backslash before each quotation
/// mark and each backslash of an expression.
fn unescaped(expression: &str) -> String {
    let mut letters = expression.chars();
    let mut unescaped = String::new();
    while let Some(letter) = letters.next() {
        unescaped.push(match letter {
            '\\' => letters.next().unwrap_or(letter),
            letter => letter,
        });
    }
    unescaped
}
