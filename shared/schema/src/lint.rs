//! What PlanetScale would refuse, or would lose data by, before it gets there.
//!
//! The rules follow PlanetScale's docs: "Schema lint errors", "MySQL compatibility", "Changing
//! primary and unique keys" and "Handling table and column renames". Those about what is there
//! already, or is not, follow from the files themselves, which are read from the first one on.

mod alter;
mod column;
mod create;
mod key;
mod narrow;
mod reserved;
mod rule;
mod schema;

use std::fmt;

pub use rule::{Rule, Severity};
use schema::Schema;

use super::{
    Migration, Migrations,
    ddl::{Alien, Ddl, Name, Unreadable},
    ledger, old_allowance,
    statement::Statement,
};

/// What differs from one database to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Foreign keys are allowed in the database's settings on PlanetScale.
    pub foreign_keys: bool,
}

/// A place in a file that breaks a rule. Shown, it is one line that says everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, as [`Migration::file`] names it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule.
    pub rule: Rule,
    /// What is there.
    pub what: String,
}

impl Finding {
    /// What is there, and what to do instead.
    pub fn message(&self) -> String {
        let instead = self.rule.instead();
        let mut letters = instead.chars();
        let first: String = letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .collect();
        let mut message = format!("{}. {first}{}.", self.what, letters.as_str());
        if self.rule.is_allowable() {
            let code = self.rule.code();
            message += &format!(
                " To allow it, write `-- allow {code}: reason` on a line before the statement."
            );
        }
        message
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = (&self.file, self.line);
        let (severity, code) = (self.rule.severity(), self.rule.code());
        write!(f, "{file}:{line}: {severity}[{code}]: {}", self.message())
    }
}

/// Everything in the files that breaks a rule, by file and line.
pub fn lint(migrations: &Migrations, options: Options) -> Vec<Finding> {
    let mut schema = Schema::default();
    let files = migrations.iter();
    files
        .flat_map(|migration| of_file(migration, &mut schema, options))
        .collect()
}

fn of_file(migration: &Migration, schema: &mut Schema, options: Options) -> Vec<Finding> {
    let mut found = Vec::new();
    let (statements, stray_comments) = migration.old();
    if migration.statements().is_empty() {
        found.push(Found {
            line: 1,
            rule: Rule::Empty,
            what: "there is no statement in this file".to_owned(),
        });
    }
    for statement in &statements {
        let mut linter = Linter {
            schema: &mut *schema,
            options,
            version: migration.version(),
            line: statement.line(),
            found: Vec::new(),
        };
        linter.statement(Ddl::read(statement));
        found.extend(after_allowances(statement, linter.found));
    }
    for allowance in old_allowance::of(&stray_comments) {
        let code = &allowance.code;
        found.push(Found {
            line: allowance.line,
            rule: Rule::Allowance,
            what: format!("the allowance of `{code}` is not on a line before its statement"),
        });
    }
    found.sort_by_key(|found| found.line);
    let finding = |found: Found| Finding {
        file: migration.file().to_owned(),
        line: found.line,
        rule: found.rule,
        what: found.what,
    };
    found.into_iter().map(finding).collect()
}

/// A finding of one statement.
struct Found {
    line: usize,
    rule: Rule,
    what: String,
}

/// Takes out what the statement's comments allow, and puts in what is wrong with them.
fn after_allowances(statement: &Statement, mut found: Vec<Found>) -> Vec<Found> {
    for allowance in old_allowance::of(statement.comments()) {
        let code = &allowance.code;
        let rule = Rule::ALL.iter().find(|rule| rule.code() == code);
        let fault = match rule {
            None => Some(format!("no rule has the code `{code}`")),
            Some(rule) if !rule.is_allowable() => Some(format!("no comment can allow `{code}`")),
            Some(_) if allowance.reason.is_empty() => {
                Some(format!("the allowance of `{code}` has no reason"))
            }
            Some(rule) => {
                let before = found.len();
                found.retain(|found| found.rule != *rule);
                (found.len() == before).then(|| {
                    format!("the statement after it has nothing that needs `{code}` allowed")
                })
            }
        };
        found.extend(fault.map(|what| Found {
            line: allowance.line,
            rule: Rule::Allowance,
            what,
        }));
    }
    found
}

/// One statement under the rules, with the schema that the ones before it leave.
struct Linter<'s> {
    schema: &'s mut Schema,
    options: Options,
    version: u32,
    /// The statement's.
    line: usize,
    found: Vec<Found>,
}

impl Linter<'_> {
    fn report(&mut self, line: usize, rule: Rule, what: impl Into<String>) {
        let what = what.into();
        // What was made up in reading has no line of its own.
        let line = if line == 0 { self.line } else { line };
        self.found.push(Found { line, rule, what });
    }

    fn not_understood(&mut self, line: usize, fault: Unreadable) {
        let what = format!("the linter does not understand this: {}", fault.why);
        self.report(fault.line.unwrap_or(line), Rule::NotUnderstood, what);
    }

    fn statement(&mut self, ddl: Ddl) {
        let line = self.line;
        match ddl {
            Ddl::CreateTable(new) => self.create_table(*new),
            Ddl::AlterTable { table, clauses } => self.alter_table(&table, clauses),
            Ddl::DropTables { tables, if_exists } => self.drop_tables(&tables, if_exists),
            Ddl::RenameTables(renamed) => {
                for (old, new) in renamed {
                    self.name(&old);
                    self.rename_table(line, &old, &new);
                }
            }
            Ddl::CreateView(view) => {
                if view.alters && !self.schema.has(&view.name.name) {
                    self.no_such_table("view", &view.name.name);
                }
                self.create_view(view);
            }
            Ddl::DropViews { views, if_exists } => self.drop_views(&views, if_exists),
            Ddl::Alien(alien) => self.alien(&alien),
            Ddl::Unread { table, fault } => {
                self.not_understood(line, fault);
                if let Some(table) = table {
                    self.name(&table);
                    self.schema.doubt(table.name, self.version);
                }
            }
            Ddl::NoSql(why) => {
                self.report(line, Rule::NoSql, format!("this is no statement: {why}"));
            }
        }
    }

    fn alien(&mut self, alien: &Alien) {
        let (rule, what) = match alien {
            Alien::Trigger => (Rule::Trigger, "PlanetScale has no triggers".to_owned()),
            Alien::Routine => (
                Rule::Routine,
                "PlanetScale has no procedures and functions".to_owned(),
            ),
            Alien::Event => (Rule::Event, "PlanetScale has no events".to_owned()),
            Alien::LockTables => (Rule::LockTables, "tables are not locked by hand".to_owned()),
            Alien::Temporary => (
                Rule::NotDdl,
                "a temporary table is gone with its connection".to_owned(),
            ),
            Alien::Data(verb) => (Rule::NotDdl, format!("{verb} is no change of the schema")),
            Alien::Administration(verb) => (
                Rule::Administration,
                format!("{verb} is no change of a table"),
            ),
        };
        self.report(self.line, rule, what);
    }

    /// The rules on the name of a table or a view.
    fn name(&mut self, name: &Name) {
        if let Some(database) = &name.database {
            let what = format!("`{}` is named with a database, `{database}`", name.name);
            self.report(self.line, Rule::OtherDatabase, what);
        }
        if name.name == ledger::TABLE {
            let what = format!("`{}` is not for migrations", ledger::TABLE);
            self.report(self.line, Rule::Ledger, what);
        }
    }

    /// The rules on the name of a table or a view that is to have it.
    fn new_name(&mut self, kind: &str, name: &Name) {
        self.name(name);
        if name.bare {
            self.unreserved(self.line, kind, &name.name);
        }
    }

    fn conditional(&mut self, words: &str) {
        let what = format!("{words} hides whether the statement did anything");
        self.report(self.line, Rule::Conditional, what);
    }

    fn no_such_table(&mut self, kind: &str, name: &str) {
        let what = format!("there is no {kind} `{name}` after the migrations before this");
        self.report(self.line, Rule::NoSuchTable, what);
    }

    fn drop_tables(&mut self, tables: &[Name], if_exists: bool) {
        if if_exists {
            self.conditional("IF EXISTS");
        }
        for table in tables {
            self.name(table);
            let what = format!("drops the table `{}` and its rows", table.name);
            self.report(self.line, Rule::DropTable, what);
            if !self.schema.drop_table(&table.name) {
                self.no_such_table("table", &table.name);
            }
            self.views_of(&table.name);
        }
    }

    fn rename_table(&mut self, line: usize, old: &Name, new: &Name) {
        self.new_name("table", new);
        let (old, new) = (&old.name, &new.name);
        let what = format!("renames the table `{old}` to `{new}`");
        self.report(line, Rule::RenameTable, what);
        if self.schema.rename_table(old, new) {
            self.views_of(old);
        } else {
            self.no_such_table("table", old);
        }
    }

    /// A table is gone: so are the views of it.
    fn views_of(&mut self, table: &str) {
        for view in self.schema.views_of(table) {
            let what = format!("the view `{view}` reads `{table}`, which is gone");
            self.report(self.line, Rule::View, what);
        }
    }

    fn drop_views(&mut self, views: &[Name], if_exists: bool) {
        if if_exists {
            self.conditional("IF EXISTS");
        }
        for view in views {
            self.name(view);
            if !self.schema.drop_view(&view.name) {
                self.no_such_table("view", &view.name);
            }
            self.views_of(&view.name);
        }
    }
}

#[cfg(test)]
mod tests;
