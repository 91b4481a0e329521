//! The rules on columns.

use super::Judge;
use crate::{
    conversion::{Conversion, convert},
    rule::Rule,
    snapshot::{Kind, Part, Row, quoted, same},
};

/// Functions that return another value in each row. Those for the time return one for the whole
/// statement.
const PER_ROW: [&str; 4] = ["uuid(", "uuid_short(", "rand(", "random_bytes("];

const MARIADB_TYPES: [&str; 3] = ["inet4", "inet6", "uuid"];

impl Judge<'_> {
    pub(super) fn added_column(&mut self, new: &Row) {
        self.definition(new);
        if self.old.is_none() {
            return;
        }
        if !new.may_be_left_out() {
            let what = "{} is new, is NOT NULL and has no default";
            self.report(Rule::NotNullWithoutDefault, what);
        }
        if new.default_per_row() {
            let what = "{} is new and has another default in each row";
            self.report(Rule::DefaultPerRow, what);
        }
    }

    pub(super) fn dropped_column(&mut self) {
        self.report(Rule::DropColumn, "drops {} and what is in it");
        let known = |name: &str| self.old.is_none_or(|old| old.column(name).is_some());
        if let Some(new) = self.new.columns.iter().find(|name| !known(name)) {
            self.report(Rule::DropAndAdd, &format!("{{}} goes, and `{new}` comes"));
        }
    }

    /// What a laptop's server takes and PlanetScale does not.
    fn definition(&mut self, column: &Row) {
        if let Some(collation) = column.get("collation") {
            self.collation(collation);
        }
        if self.mariadb && MARIADB_TYPES.contains(&column.text("type")) {
            self.report(
                Rule::OnlyMariaDb,
                &format!("{{}} is {}", column.text("data_type")),
            );
        }
    }

    pub(super) fn changed_column(&mut self, old: &Part, new: &Part) {
        self.definition(new);
        match (old.is_generated(), new.is_generated()) {
            (false, true) => {
                self.report(Rule::BecomesGenerated, "{} becomes a generated one");
                return;
            }
            (true, true) => {}
            (_, false) => self.lost_default(old, new),
        }
        if new.is_invisible() && !old.is_invisible() {
            let what = "{} becomes invisible: code that names no columns does not get it any more";
            self.report(Rule::OtherType, what);
        }
        match (old.is("nullable"), new.is("nullable")) {
            (true, false) => {
                let query = self.rows_where(&format!("{} IS NULL", quoted(&old.subject.name)));
                let what = match new.may_be_left_out() {
                    true => "{} becomes NOT NULL",
                    false => "{} becomes NOT NULL without a default",
                };
                self.report_rows(Rule::BecomesNotNull, what, query);
            }
            (false, true) => self.report(Rule::DroppedNotNull, "{} loses its NOT NULL"),
            _ => {}
        }
        self.converted(old, new);
        self.compared(old, new);
    }

    /// The rules on what an INSERT writes that leaves it out.
    fn lost_default(&mut self, old: &Row, new: &Row) {
        let loses =
            |what: &str| old.text("extra").contains(what) && !new.text("extra").contains(what);
        let has_default = |column: &Row| column.get("default").is_some();
        let lost = if loses("auto_increment") {
            "AUTO_INCREMENT"
        } else if loses("on update") {
            "ON UPDATE"
        } else if has_default(old) && !has_default(new) && !new.is_auto_increment() {
            "DEFAULT"
        } else if old.is_generated() && !new.may_be_left_out() {
            "expression"
        } else {
            return;
        };
        let effect = match new.may_be_left_out() {
            true => "a statement that leaves it out writes something else",
            false => "an INSERT that leaves it out fails",
        };
        self.report(
            Rule::DroppedDefault,
            &format!("{{}} loses its {lost}: {effect}"),
        );
    }

    fn converted(&mut self, old: &Part, new: &Row) {
        let (was, is) = (old.text("data_type"), new.text("data_type"));
        let becomes = match was == is {
            true => "{} gets another character set".to_owned(),
            false => format!("{{}} becomes {is} and was {was}"),
        };
        match convert(&old.subject.name, old, new) {
            Conversion::Keeps => {}
            Conversion::Retypes => self.report(Rule::OtherType, &becomes),
            Conversion::Reorders => {
                self.report(Rule::MemberOrder, "{} has its values in another order");
            }
            Conversion::Fails(condition) => {
                let query = self.rows_where(&condition);
                self.report_rows(Rule::NarrowerColumn, &becomes, query);
            }
            Conversion::Loses(how) => {
                self.report(Rule::LossyColumn, &format!("{becomes}: {how}"));
            }
        }
    }

    /// The rules on how its values compare, which a collation's name says behind the character set.
    fn compared(&mut self, old: &Row, new: &Part) {
        let rules = |column: &Row| {
            column
                .text("collation")
                .split_once('_')
                .map(|(_, rules)| rules.to_owned())
        };
        let (Some(old_rules), Some(new_rules)) = (rules(old), rules(new)) else {
            return;
        };
        if old_rules == new_rules {
            return;
        }
        let what = format!("{{}} compares by {new_rules}, and did by {old_rules}");
        self.report(Rule::Collation, &what);
        for key in self.new.all(Kind::Index) {
            let is_over = |part: &Row| same(part.text("column"), &new.subject.name);
            if new_rules != "bin" && key.is("unique") && key.rows.iter().any(is_over) {
                let query = self.duplicates(key);
                let what = "{} compares in another way in a unique key";
                self.report_rows(Rule::UniqueOnRows, what, query);
            }
        }
    }
}

impl Row {
    pub(super) fn is_long(&self) -> bool {
        let name = self.text("type");
        name.ends_with("text") || name.ends_with("blob")
    }

    pub(super) fn is_generated(&self) -> bool {
        self.get("expression").is_some()
    }

    pub(super) fn is_auto_increment(&self) -> bool {
        self.text("extra").contains("auto_increment")
    }

    fn is_invisible(&self) -> bool {
        self.text("extra").contains("INVISIBLE")
    }

    /// Whether an INSERT may leave it out. MySQL fills an ENUM that is NOT NULL with its first
    /// value, in strict mode too.
    fn may_be_left_out(&self) -> bool {
        let is_filled = self.is_auto_increment() || self.is_generated();
        let may_be_empty = self.is("nullable") || self.get("default").is_some();
        may_be_empty || is_filled || self.text("type") == "enum"
    }

    pub(super) fn default_per_row(&self) -> bool {
        let default = self.text("default").to_lowercase();
        !default.starts_with('\'') && PER_ROW.iter().any(|function| default.contains(function))
    }
}
