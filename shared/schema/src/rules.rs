//! The rules on what a migration has changed, from its start to its end.

mod column;
mod key;

use crate::{
    check::Options,
    difference::{Difference, Part, Subject, differences},
    rule::Rule,
    snapshot::{Check, Make, Partition, Snapshot, Table, View, quoted},
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
pub(crate) fn judge(start: &Snapshot, end: &Snapshot, options: &Options) -> Vec<Judgement> {
    let (nothing, mut judged) = (Table::default(), Vec::new());
    for Difference { subject, old, new } in differences(start, end) {
        let mut judge = Judge {
            old: start.tables.get(&subject.table).map(AsRef::as_ref),
            new: end
                .tables
                .get(&subject.table)
                .map_or(&nothing, AsRef::as_ref),
            mariadb: end.make == Make::MariaDb,
            options,
            subject,
            judged: &mut judged,
        };
        judge.part(old, new);
    }
    for (name, new) in &end.tables {
        let old = start.tables.get(name);
        if old != Some(new) {
            let mut judge = Judge {
                old: old.map(AsRef::as_ref),
                new,
                mariadb: end.make == Make::MariaDb,
                options,
                subject: Subject::of(name, &Part::Table(&new.options), ""),
                judged: &mut judged,
            };
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

    fn part(&mut self, old: Option<Part>, new: Option<Part>) {
        match (old, new) {
            (Some(Part::Table(_)), None) => self.report(Rule::DropTable, "drops {} and its rows"),
            (old, Some(Part::Table(new))) => {
                if self.mariadb && new.kind != "BASE TABLE" {
                    self.report(
                        Rule::OnlyMariaDb,
                        &format!("{{}} is {}", new.kind.to_lowercase()),
                    );
                }
                if !new.engine.eq_ignore_ascii_case("InnoDB") {
                    self.report(Rule::Engine, &format!("{{}} has the engine {}", new.engine));
                }
                if !matches!(old, Some(Part::Table(old)) if old.collation == new.collation) {
                    self.collation(&new.collation);
                }
            }
            (Some(Part::View(_)), None) => self.report(Rule::DropView, "drops {}"),
            (Some(Part::View(old)), Some(Part::View(new))) => self.view(Some(old), new),
            (None, Some(Part::View(new))) => self.view(None, new),
            (None, Some(Part::Column(new))) => self.added_column(new),
            (Some(Part::Column(_)), None) => self.dropped_column(),
            (Some(Part::Column(old)), Some(Part::Column(new))) => self.changed_column(old, new),
            (None, Some(Part::Key(new))) => self.added_key(new),
            (Some(Part::Key(old)), None) => self.dropped_key(old),
            (Some(Part::Key(old)), Some(Part::Key(new))) => self.changed_key(old, new),
            (None, Some(Part::Check(new))) => {
                self.constraint_name();
                if self.old.is_some() && new.enforced {
                    let query = self.rows_where(&format!("NOT ({})", new.clause));
                    self.report_rows(Rule::CheckOnRows, "{} is new", query);
                }
            }
            (Some(Part::Check(old)), None) if self.goes_with_column(old) => {}
            (Some(Part::Check(_) | Part::ForeignKey(_)), None) => {
                self.report(Rule::ConstraintName, "drops or changes {}");
            }
            (None, Some(Part::ForeignKey(new))) => {
                self.constraint_name();
                self.added_foreign_key(new);
            }
            (old, Some(Part::Partitions(new))) => match old {
                Some(Part::Partitions(old)) => self.partitions(old, new),
                _ => self.partitions(&[], new),
            },
            _ => {}
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

    fn view(&mut self, old: Option<&View>, new: &View) {
        let lost = |old: &View| {
            old.columns
                .iter()
                .any(|column| !new.columns.contains(column))
        };
        if !new.valid && old.is_none_or(|old| old.valid) {
            let what = "{} reads what is not there, or is defined by a user who is not there";
            self.report(Rule::View, what);
        } else if new.definition.to_lowercase().contains("json_table(") {
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
    fn goes_with_column(&self, check: &Check) -> bool {
        let columns = self.old.into_iter().flat_map(|old| &old.columns);
        let mut gone = columns.filter(|column| self.new.column(&column.name).is_none());
        gone.any(|column| check.clause.contains(&quoted(&column.name)))
    }

    fn partitions(&mut self, old: &[Partition], new: &[Partition]) {
        let has_word = |word: &str| new.iter().any(|partition| partition.method.contains(word));
        let limits = || {
            new.iter()
                .filter_map(|partition| partition.limit.as_deref())
        };
        if has_word("LIST") {
            self.report(Rule::Partitioning, "{} is by LIST");
        }
        if new.iter().any(|partition| partition.sub_method.is_some()) {
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
        let mut columns = self.new.columns.iter().map(|column| column.name.as_str());
        let is_new = columns.any(|name| !known(name) && condition.contains(&quoted(name)));
        let table = quoted(&self.subject.table);
        (!is_new).then(|| format!("SELECT * FROM {table} WHERE {condition} LIMIT 10"))
    }
}
