//! The rules on new tables and views, and on options.

use super::{Linter, Rule, key::index_foreign_keys, schema::Table};
use crate::ddl::{Column, Definition, ForeignKey, NewTable, NewView, Options, Partitions};

impl Linter<'_> {
    pub(super) fn create_table(&mut self, new: NewTable) {
        let name = new.name.name.clone();
        self.new_name("table", &new.name);
        if new.conditional {
            self.conditional("IF NOT EXISTS or OR REPLACE");
        }
        if self.schema.has(&name) {
            let what = format!("there is a table or a view `{name}` already");
            self.report(self.line, Rule::TableExists, what);
        }
        if let Some(how) = new.copied {
            let what = format!(
                "the columns and keys of `{name}` are not written out, but copied by {how}"
            );
            self.report(self.line, Rule::CopiedTable, what);
            self.schema.doubt(name, self.version);
            return;
        }
        let mut table = Table::new(self.version);
        self.options(&new.definition.options);
        if let Some(partitions) = &new.partitions {
            self.partitions(partitions);
        }
        self.foreign_keys(&new.definition.foreign_keys, Some(&name));
        for column in new.definition.columns {
            self.add_column(&mut table, &name, column);
        }
        for key in new.definition.keys {
            self.add_key(&mut table, &name, key);
        }
        index_foreign_keys(&mut table, new.definition.foreign_keys);
        self.has_row_key(&table, &name);
        self.schema.put_table(name, table);
    }

    /// Adds a column under the rules on its definition and its name.
    pub(super) fn add_column(&mut self, table: &mut Table, name: &str, column: Column) {
        self.column(&column);
        if table.column(&column.name).is_some() {
            let what = format!("`{name}` has a column `{}` already", column.name);
            self.report(column.line, Rule::ColumnExists, what);
        }
        table.put_column(column);
    }

    /// The rules on what a clause of ALTER TABLE says about the whole table.
    pub(super) fn table_wide(&mut self, definition: &Definition) {
        self.options(&definition.options);
        self.foreign_keys(&definition.foreign_keys, None);
    }

    fn options(&mut self, options: &Options) {
        if let Some(engine) = &options.engine {
            self.engine(options.line, engine);
        }
        self.charset(
            options.line,
            options.charset.as_deref(),
            options.collation.as_deref(),
        );
    }

    fn engine(&mut self, line: usize, engine: &str) {
        if !engine.eq_ignore_ascii_case("InnoDB") {
            self.report(
                line,
                Rule::Engine,
                format!("the engine {engine} is not InnoDB"),
            );
        }
    }

    /// `new` is a table that is being created, which may refer to itself.
    fn foreign_keys(&mut self, keys: &[ForeignKey], new: Option<&str>) {
        for ForeignKey { line, table, .. } in keys {
            let name = &table.name;
            if !self.options.foreign_keys {
                let what = format!("a foreign key to `{name}`");
                self.report(*line, Rule::ForeignKey, what);
            } else if new != Some(name) && self.schema.table(name).is_none() {
                let what = format!("a foreign key to `{name}`, which is not there");
                self.report(*line, Rule::NoSuchTable, what);
            }
        }
    }

    pub(super) fn partitions(&mut self, partitions: &Partitions) {
        let line = partitions.line;
        if partitions.method == "LIST" {
            self.report(line, Rule::Partitioning, "partitions by LIST");
        }
        if partitions.subpartitions {
            self.report(line, Rule::Partitioning, "subpartitions");
        }
        for engine in &partitions.engines {
            if !engine.eq_ignore_ascii_case("InnoDB") {
                let what = format!("a partition of the engine {engine}");
                self.report(line, Rule::Partitioning, what);
            }
        }
    }

    pub(super) fn create_view(&mut self, view: NewView) {
        self.new_name("view", &view.name);
        if view.conditional {
            self.conditional("IF NOT EXISTS");
        }
        let name = view.name.name;
        let taken = if view.replaces {
            self.schema.table(&name).is_some()
        } else {
            self.schema.has(&name)
        };
        if taken {
            let what = format!("there is a table or a view `{name}` already");
            self.report(self.line, Rule::TableExists, what);
        }
        if view.json_table {
            let what = format!("the view `{name}` uses JSON_TABLE, which PlanetScale has not");
            self.report(self.line, Rule::View, what);
        }
        let mut reads = Vec::new();
        for read in view.reads {
            self.name(&read);
            if !self.schema.has(&read.name) {
                let what = format!(
                    "the view `{name}` reads `{}`, which is not there",
                    read.name
                );
                self.report(self.line, Rule::View, what);
            }
            reads.push(read.name);
        }
        self.schema.put_view(name, reads);
    }
}
