//! A schema as the server describes it, taken apart into what a change of it is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The tables and views of a branch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// By name.
    pub tables: BTreeMap<String, Table>,
    /// The statement that creates each, by name.
    pub views: BTreeMap<String, String>,
}

/// One table, from the answer to SHOW CREATE TABLE: a definition stands on each line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Table {
    /// The statement that creates it, without what depends on its rows.
    create: String,
    /// In their order.
    pub columns: Vec<Definition>,
    /// Keys and constraints, in the server's order, which means nothing.
    pub keys: Vec<Definition>,
    /// Engine, character set, comment, and so on.
    pub options: String,
    /// How it is partitioned, if it is.
    pub partitioning: String,
}

/// A column, key or constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name; `PRIMARY` for the primary key.
    pub name: String,
    /// All of it, as in `` `id` int NOT NULL ``.
    pub text: String,
}

/// A name in backquotes.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl Schema {
    /// Adds a view from the answer to SHOW CREATE VIEW, without who made it and where.
    pub fn add_view(&mut self, name: &str, create: &str, schema: &str) {
        let (_, definition) = create.split_once(" VIEW ").unwrap_or_default();
        let definition = definition.replace(&format!("{}.", quoted(schema)), "");
        let create = format!("CREATE VIEW {definition}");
        self.views.insert(name.to_owned(), create);
    }

    /// The statement that creates each table and view, by name.
    pub fn creates(&self) -> impl Iterator<Item = (&str, &str)> {
        let tables = self
            .tables
            .iter()
            .map(|(name, table)| (name, &table.create));
        let all = tables.chain(&self.views);
        all.map(|(name, create)| (name.as_str(), create.as_str()))
    }
}

impl From<String> for Table {
    fn from(create: String) -> Self {
        Self::parse(&create)
    }
}

impl From<Table> for String {
    fn from(table: Table) -> Self {
        table.create
    }
}

impl Table {
    /// Takes the answer to SHOW CREATE TABLE apart.
    pub fn parse(create: &str) -> Self {
        let mut table = Self::default();
        let mut lines = Vec::new();
        let mut inside = true;
        let last = create.lines().find(|line| line.starts_with(')'));
        let collation = last.and_then(|line| word_after(line, " COLLATE="));
        for line in create.lines() {
            if inside && line.starts_with(')') {
                inside = false;
                let (options, partitioning) = partitioning_of(line);
                table.options = without_auto_increment(options);
                table.partitioning = partitioning.to_owned();
                lines.push(format!(") {}{partitioning}", table.options));
                continue;
            }
            let line = match inside {
                true => &without_default_collation(line, collation),
                false => line,
            };
            lines.push(line.to_owned());
            if !inside {
                if !table.partitioning.is_empty() {
                    table.partitioning.push('\n');
                }
                table.partitioning.push_str(line);
            } else if let Some(text) = line.strip_prefix("  ") {
                table.add(text.strip_suffix(',').unwrap_or(text));
            }
        }
        table.create = lines.join("\n");
        table
    }

    fn add(&mut self, text: &str) {
        let definition = |name: &str| Definition {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        if text.starts_with('`') {
            self.columns.push(definition(&first_name(text)));
        } else if text.starts_with("PRIMARY KEY") {
            self.keys.push(definition("PRIMARY"));
        } else {
            self.keys.push(definition(&first_name(text)));
        }
    }

    pub fn create(&self) -> &str {
        &self.create
    }

    pub fn column(&self, name: &str) -> Option<&Definition> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The key or constraint in the place of another table's: both may share a name.
    pub fn counterpart(&self, key: &Definition) -> Option<&Definition> {
        let mut keys = self.keys.iter();
        keys.find(|own| own.name == key.name && own.is_constraint() == key.is_constraint())
    }

    /// The columns that rows have values for, in backquotes.
    pub fn stored_columns(&self) -> String {
        let stored = self.columns.iter().filter(|column| !column.is_generated());
        let names: Vec<String> = stored.map(|column| quoted(&column.name)).collect();
        names.join(", ")
    }

    /// The columns of the first key that tells rows apart, the primary key first.
    pub fn identity(&self) -> Option<Vec<String>> {
        let mut unique = self.keys.iter().filter(|key| key.is_unique());
        unique.find_map(|key| self.identifies(key).then(|| key.column_names()))
    }

    /// Whether the key has only columns that are never NULL, and all of each.
    fn identifies(&self, key: &Definition) -> bool {
        let whole = !key.has_prefix();
        whole && {
            key.column_names().iter().all(|name| {
                let column = self.column(name);
                column.is_some_and(|column| column.is_not_null() && !column.is_blob())
            })
        }
    }
}

impl Definition {
    /// Whether it is a key that takes no value twice.
    pub fn is_unique(&self) -> bool {
        self.name == "PRIMARY" || self.text.starts_with("UNIQUE ")
    }

    /// Its words alone, without what stands in quotes.
    pub fn words(&self) -> String {
        without_quoted(&self.text)
    }

    /// Whether it is a foreign key.
    pub fn is_foreign_key(&self) -> bool {
        self.is_constraint() && self.words().contains(" FOREIGN KEY ")
    }

    /// Whether it is a constraint of any kind.
    pub fn is_constraint(&self) -> bool {
        self.text.starts_with("CONSTRAINT ")
    }

    /// The names of the columns that a key is over.
    pub fn column_names(&self) -> Vec<String> {
        let start = self.text.find('(').unwrap_or(self.text.len());
        let list = self.text.get(start..).unwrap_or_default();
        let end = closing(list).unwrap_or(list.len());
        names(list.get(..end).unwrap_or_default())
    }

    /// Whether a key has only the beginning of some column.
    pub fn has_prefix(&self) -> bool {
        let mut parts = self.text.split("`(").skip(1);
        parts.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// A column's type in small letters, as in `varchar(64)`, with what follows it.
    fn kind(&self) -> String {
        let start = quoted(&self.name).len();
        let kind = self.text.get(start..).unwrap_or_default();
        kind.trim_start().to_ascii_lowercase()
    }

    /// Whether a column holds texts or bytes of any length.
    pub fn is_blob(&self) -> bool {
        let kind = self.kind();
        let word = kind.split([' ', '(']).next().unwrap_or_default();
        word.ends_with("blob") || word.ends_with("text") || word == "json"
    }

    /// Whether a column's type has a character set.
    pub fn is_text(&self) -> bool {
        let kind = self.kind();
        let word = kind.split([' ', '(']).next().unwrap_or_default();
        word.ends_with("text") || ["char", "varchar", "enum", "set"].contains(&word)
    }

    pub fn is_not_null(&self) -> bool {
        self.words().contains(" NOT NULL")
    }

    fn is_generated(&self) -> bool {
        self.words().contains(" GENERATED ALWAYS AS ")
    }
}

/// The first name in backquotes, without them.
fn first_name(text: &str) -> String {
    names(text).into_iter().next().unwrap_or_default()
}

/// All names in backquotes, without them.
fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name: Option<String> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (&mut name, letter) {
            (Some(inside), '`') if letters.peek() == Some(&'`') => {
                letters.next();
                inside.push('`');
            }
            (Some(_), '`') => names.extend(name.take()),
            (Some(inside), letter) => inside.push(letter),
            (None, '`') => name = Some(String::new()),
            (None, _) => {}
        }
    }
    names
}

/// The same with `_` in place of each byte of names and texts in quotes, and of the quotes: what
/// is found in it stands there.
pub fn without_quoted(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut quote = None;
    let mut letters = text.chars();
    let blank = |letter: char| std::iter::repeat_n('_', letter.len_utf8());
    while let Some(letter) = letters.next() {
        match quote {
            // A quote that is doubled ends one text and begins another.
            Some(end) if letter == end => quote = None,
            Some('\'') if letter == '\\' => {
                words.extend(letters.next().into_iter().flat_map(blank))
            }
            Some(_) => {}
            None if letter == '`' || letter == '\'' => quote = Some(letter),
            None => {
                words.push(letter);
                continue;
            }
        }
        words.extend(blank(letter));
    }
    words
}

/// Where the parenthesis that begins the text ends.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, letter) in without_quoted(text).char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The last line's options, and what MariaDB says of partitions on the same line.
fn partitioning_of(line: &str) -> (&str, &str) {
    let options = line.trim_start_matches(')').trim_start();
    match without_quoted(options).find(" PARTITION BY ") {
        Some(at) => options.split_at(at),
        None => (options, ""),
    }
}

/// A column's line without the character set that its collation tells, and without the collation
/// that is its table's: whether MySQL shows them depends on how the column was made.
fn without_default_collation(line: &str, table: Option<&str>) -> String {
    let words = without_quoted(line);
    let Some(collation) = word_after(&words, " COLLATE ") else {
        return line.to_owned();
    };
    let collation = collation.trim_end_matches(',');
    let mut doomed = Vec::new();
    if let Some(charset) = word_after(&words, " CHARACTER SET ") {
        doomed.push(format!(" CHARACTER SET {charset}"));
    }
    if table == Some(collation) {
        doomed.push(format!(" COLLATE {collation}"));
    }
    // From the back, so that what is before stays where it was found.
    let mut line = line.to_owned();
    let mut places: Vec<_> = doomed
        .iter()
        .filter_map(|part| words.find(part).map(|at| at..at + part.len()))
        .collect();
    places.sort_by_key(|place| std::cmp::Reverse(place.start));
    for place in places {
        line.replace_range(place, "");
    }
    line
}

/// What follows a text, up to the next space.
pub fn word_after<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_whitespace().next()
}

/// Where the next row's number stands depends on the rows.
fn without_auto_increment(options: &str) -> String {
    let parts = options.split(' ');
    let kept: Vec<&str> = parts
        .filter(|part| !part.starts_with("AUTO_INCREMENT="))
        .collect();
    kept.join(" ")
}
