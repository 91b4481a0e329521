//! The rules on columns.

use super::Judge;
use crate::{
    conversion::{Conversion, convert},
    rule::Rule,
    snapshot::{Column, quoted, same},
};

/// Functions that return another value in each row. Those for the time return one for the whole
/// statement.
const PER_ROW: [&str; 4] = ["uuid(", "uuid_short(", "rand(", "random_bytes("];

const MARIADB_TYPES: [&str; 3] = ["inet4", "inet6", "uuid"];

impl Judge<'_> {
    pub(super) fn added_column(&mut self, new: &Column) {
        self.definition(new);
        if self.old.is_none() {
            return;
        }
        if !new.may_be_left_out() {
            let what = "{} is new, is NOT NULL and has no default";
            self.report(Rule::NotNullWithoutDefault, what);
        }
        if new.default_per_row() {
            self.report(
                Rule::DefaultPerRow,
                "{} is new and has another default in each row",
            );
        }
    }

    pub(super) fn dropped_column(&mut self) {
        self.report(Rule::DropColumn, "drops {} and what is in it");
        let Some(old) = self.old else {
            return;
        };
        let mut columns = self.new.columns.iter();
        if let Some(new) = columns.find(|new| old.column(&new.name).is_none()) {
            let what = format!("{{}} goes, and `{}` comes", new.name);
            self.report(Rule::DropAndAdd, &what);
        }
    }

    /// What a laptop's server takes and PlanetScale does not.
    fn definition(&mut self, column: &Column) {
        if let Some(collation) = &column.collation {
            self.collation(collation);
        }
        if self.mariadb && MARIADB_TYPES.contains(&column.type_name()) {
            self.report(Rule::OnlyMariaDb, &format!("{{}} is {}", column.data_type));
        }
    }

    pub(super) fn changed_column(&mut self, old: &Column, new: &Column) {
        self.definition(new);
        if new.is_generated() {
            if !old.is_generated() {
                self.report(Rule::BecomesGenerated, "{} becomes a generated one");
            }
            return;
        }
        let updates = |column: &Column| column.extra.contains("on update");
        let lost = if old.is_auto_increment() && !new.is_auto_increment() {
            Some("AUTO_INCREMENT")
        } else if updates(old) && !updates(new) {
            Some("ON UPDATE")
        } else if old.default.is_some() && new.default.is_none() && !new.is_auto_increment() {
            Some("DEFAULT")
        } else if old.is_generated() && !new.may_be_left_out() {
            Some("expression")
        } else {
            None
        };
        if let Some(lost) = lost {
            let effect = match new.may_be_left_out() {
                true => "a statement that leaves it out writes something else",
                false => "an INSERT that leaves it out fails",
            };
            self.report(
                Rule::DroppedDefault,
                &format!("{{}} loses its {lost}: {effect}"),
            );
        }
        if old.nullable && !new.nullable {
            let query = self.rows_where(&format!("{} IS NULL", quoted(&old.name)));
            let what = match new.may_be_left_out() {
                true => "{} becomes NOT NULL",
                false => "{} becomes NOT NULL without a default",
            };
            self.report_rows(Rule::BecomesNotNull, what, query);
        } else if !old.nullable && new.nullable {
            self.report(Rule::DroppedNotNull, "{} loses its NOT NULL");
        }
        self.converted(old, new);
    }

    fn converted(&mut self, old: &Column, new: &Column) {
        let becomes = match old.data_type == new.data_type {
            true => "gets another character set".to_owned(),
            false => format!("becomes {} and was {}", new.data_type, old.data_type),
        };
        match convert(old, new) {
            Conversion::Keeps => {}
            Conversion::Retypes => self.report(Rule::OtherType, &format!("{{}} {becomes}")),
            Conversion::Reorders => {
                self.report(Rule::MemberOrder, "{} has its values in another order")
            }
            Conversion::Fails(condition) => {
                let query = self.rows_where(&condition);
                self.report_rows(Rule::NarrowerColumn, &format!("{{}} {becomes}"), query);
            }
            Conversion::Loses(how) => {
                self.report(Rule::LossyColumn, &format!("{{}} {becomes}: {how}"));
            }
        }
        // Without the name of the character set.
        let rules = |column: &'_ Column| -> Option<String> {
            let (_, rules) = column.collation.as_deref()?.split_once('_')?;
            Some(rules.to_owned())
        };
        let (Some(old_rules), Some(new_rules)) = (rules(old), rules(new)) else {
            return;
        };
        if old_rules != new_rules {
            let what = format!("{{}} compares by {new_rules}, and did by {old_rules}");
            self.report(Rule::Collation, &what);
            let keys = self.new.keys.values().filter(|parts| {
                let mut parts = parts.iter();
                new_rules != "bin"
                    && parts.any(|part| {
                        let column = part.column.as_deref();
                        part.unique && column.is_some_and(|column| same(column, &new.name))
                    })
            });
            for parts in keys.cloned().collect::<Vec<_>>() {
                let query = self.duplicates(&parts);
                let what = "{} compares in another way in a unique key";
                self.report_rows(Rule::UniqueOnRows, what, query);
            }
        }
    }
}

impl Column {
    pub(super) fn default_per_row(&self) -> bool {
        let default = self.default.as_deref().unwrap_or_default().to_lowercase();
        !default.starts_with('\'') && PER_ROW.iter().any(|function| default.contains(function))
    }
}
