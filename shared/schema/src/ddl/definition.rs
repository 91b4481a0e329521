//! Columns, keys and options, by sqlparser.

use sqlparser::{
    ast::{
        self, ColumnDef, ColumnOption, CreateTableOptions, DataType, EnumMember, Expr, IndexColumn,
        ObjectName, SqlOption, TableConstraint,
    },
    dialect::MySqlDialect,
    parser::{Parser, ParserError},
    tokenizer::{Token, TokenWithSpan},
};

use super::{
    Column, Definition, ForeignKey, Given, Key, KeyKind, KeyPart, Name, Options, Unreadable,
    words::{Words, bare, keyword, line, made, unquoted},
};

/// Reads what stands between the parentheses of CREATE TABLE, and what follows them.
pub(super) fn read(
    items: Vec<TokenWithSpan>,
    options: Vec<TokenWithSpan>,
) -> Result<Definition, Unreadable> {
    let beginning = options.first().map_or(0, |token| line(token.span));
    let mut tokens = vec![keyword("CREATE"), keyword("TABLE"), keyword("t")];
    tokens.push(made(Token::LParen));
    tokens.extend(known_words(items));
    tokens.push(made(Token::RParen));
    tokens.extend(known_options(options));

    let mut parser = Parser::new(&MySqlDialect {}).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().map_err(why)?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        return Err(Unreadable {
            why: format!("`{}` is not expected there", next.token),
            line: Some(line(next.span)).filter(|line| *line > 0),
        });
    }
    let ast::Statement::CreateTable(table) = statement else {
        return Err("it is no definition".into());
    };
    let mut definition = Definition {
        options: table_options(&table.table_options, beginning),
        ..Definition::default()
    };
    for column in &table.columns {
        definition.add_column(column);
    }
    for constraint in &table.constraints {
        definition.add_constraint(constraint);
    }
    Ok(definition)
}

/// Reads what CREATE TABLE may have behind its parentheses.
pub(super) fn read_options(options: Vec<TokenWithSpan>) -> Result<Definition, Unreadable> {
    read(vec![keyword("a"), keyword("INT")], options).map(|definition| Definition {
        columns: Vec::new(),
        ..definition
    })
}

/// What the parser says, and the line in it.
fn why(error: ParserError) -> Unreadable {
    let text = match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
        ParserError::RecursionLimitExceeded => "it is nested too deeply".to_owned(),
    };
    let (what, place) = text.split_once(" at Line: ").unwrap_or((&text, ""));
    let line = place.split(',').next().and_then(|line| line.parse().ok());
    let what = what.replacen("Expected: ", "expected ", 1);
    let what = what.replacen("found: EOF", "found the end", 1);
    Unreadable {
        why: what.replacen("found: ", "found ", 1),
        // What was made up in reading has no line of its own.
        line: line.filter(|line| *line > 0),
    }
}

/// What sqlparser does not know, in words that it does or left out: CHARSET and CHAR SET of a column,
/// the character set of a CAST, texts in double quotes, and of a key or a column what says nothing
/// about the schema (whether it is VISIBLE, how it is stored, WITH PARSER).
fn known_words(items: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut known: Vec<TokenWithSpan> = Vec::new();
    let mut words = Words::from(items);
    let mut depth = 0_usize;
    // The first word of the item: a column's name, or what kind of key it is.
    let mut head = None;
    while let Some(token) = words.any() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let last = known.last().map(|last| &last.token);
        let first = last.is_none_or(|last| *last == Token::Comma);
        // A part of a list, and the name behind one of these, is no option.
        let named = last
            .and_then(bare)
            .is_some_and(|word| NAMING.contains(&word.as_str()));
        let option = !(first || named || last == Some(&Token::LParen));
        let word = bare(&token.token).filter(|_| option);
        if depth == 0 && first {
            head = bare(&token.token);
        }
        match (word.as_deref(), depth) {
            (Some("CHARSET"), 0) => known.extend([keyword("CHARACTER"), keyword("SET")]),
            (Some("CHAR"), 0) if words.take(&["SET"]) => {
                known.extend([keyword("CHARACTER"), keyword("SET")]);
            }
            // Of the type in a CAST.
            (Some("CHARSET"), _) if words.identifier().is_some() => {}
            (Some("CHARACTER" | "CHAR"), _) if depth > 0 && words.take(&["SET"]) => {
                words.any();
            }
            // Of a FULLTEXT key.
            (Some("WITH"), 0) if words.take(&["PARSER"]) => {
                words.any();
            }
            (Some("VISIBLE" | "INVISIBLE"), 0) => {}
            (Some("COLUMN_FORMAT" | "STORAGE"), 0) => {
                words.any();
            }
            (Some("KEY_BLOCK_SIZE"), 0) => {
                words.sign(&Token::Eq);
                words.any();
            }
            (Some("COMMENT"), 0) if matches!(head.as_deref(), Some("FULLTEXT" | "SPATIAL")) => {
                words.any();
            }
            _ => known.push(plain_text(token)),
        }
    }
    known
}

/// Behind these stands the name of a key, a column or a constraint.
const NAMING: [&str; 7] = [
    "INDEX",
    "KEY",
    "UNIQUE",
    "FULLTEXT",
    "SPATIAL",
    "CONSTRAINT",
    "REFERENCES",
];

/// A text in double quotes as one in single quotes.
fn plain_text(token: TokenWithSpan) -> TokenWithSpan {
    match token.token {
        Token::DoubleQuotedString(text) => {
            TokenWithSpan::new(Token::SingleQuotedString(text), token.span)
        }
        _ => token,
    }
}

/// An engine in quotes is one without, and CHAR SET is CHARACTER SET.
fn known_options(options: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut known: Vec<TokenWithSpan> = Vec::new();
    let mut words = Words::from(options);
    let mut of_engine = false;
    while let Some(token) = words.any() {
        let word = bare(&token.token);
        known.push(match word.as_deref() {
            _ if of_engine => unquoted(&token),
            Some("CHAR") => keyword("CHARACTER"),
            _ => plain_text(token.clone()),
        });
        of_engine = word.as_deref() == Some("ENGINE") || of_engine && token.token == Token::Eq;
    }
    known
}

fn table_options(options: &CreateTableOptions, line: usize) -> Options {
    let mut known = Options {
        line,
        ..Options::default()
    };
    let CreateTableOptions::Plain(options) = options else {
        return known;
    };
    for option in options {
        match option {
            SqlOption::NamedParenthesizedList(list)
                if list.key.value.eq_ignore_ascii_case("ENGINE") =>
            {
                known.engine = list.name.as_ref().map(|name| name.value.clone());
            }
            SqlOption::KeyValue { key, value } => {
                let key = key.to_string().to_ascii_uppercase();
                let value = value.to_string();
                let value = value.trim_matches(['\'', '"', '`']);
                if key.ends_with("CHARSET") || key.ends_with("CHARACTER SET") {
                    known.charset = Some(value.to_ascii_lowercase());
                } else if key.ends_with("COLLATE") {
                    let collation = value.to_ascii_lowercase();
                    known.charset.get_or_insert_with(|| charset_of(&collation));
                    known.collation = Some(collation);
                }
            }
            _ => {}
        }
    }
    known
}

/// A collation's name begins with its character set's.
pub(super) fn charset_of(collation: &str) -> String {
    let collation = collation.to_ascii_lowercase();
    collation
        .split_once('_')
        .map_or(collation.as_str(), |(charset, _)| charset)
        .to_owned()
}

impl Definition {
    fn add_column(&mut self, column: &ColumnDef) {
        let text = column.data_type.to_string().to_ascii_uppercase();
        let serial = text == "SERIAL";
        let mut known = Column {
            name: column.name.value.clone(),
            bare: column.name.quote_style.is_none(),
            line: line(column.name.span),
            not_null: serial,
            has_default: serial,
            default: None,
            on_update: None,
            long: is_long(&text),
            data_type: text,
            charset: None,
            collation: None,
            members: members(&column.data_type),
        };
        let mut own_keys: Vec<KeyKind> = serial.then_some(KeyKind::Unique).into_iter().collect();
        for option in &column.options {
            match &option.option {
                // The last one holds.
                ColumnOption::NotNull => known.not_null = true,
                ColumnOption::Null => known.not_null = false,
                ColumnOption::Default(value) => {
                    known.has_default = true;
                    known.default = Some(given(value));
                }
                ColumnOption::OnUpdate(value) => known.on_update = Some(given(value)),
                ColumnOption::Generated { .. } => known.has_default = true,
                ColumnOption::Check(_) => self.checks = true,
                ColumnOption::PrimaryKey(_) => own_keys.push(KeyKind::Primary),
                ColumnOption::Unique(_) => own_keys.push(KeyKind::Unique),
                ColumnOption::ForeignKey(key) => {
                    let columns = vec![known.name.clone()];
                    self.add_foreign_key(None, known.line, columns, &key.foreign_table);
                }
                ColumnOption::CharacterSet(charset) => {
                    known.charset = Some(last(charset).to_ascii_lowercase());
                }
                ColumnOption::Collation(collation) => {
                    let collation = last(collation).to_ascii_lowercase();
                    known.charset.get_or_insert_with(|| charset_of(&collation));
                    known.collation = Some(collation);
                }
                ColumnOption::DialectSpecific(words) => {
                    let automatic = |word| bare(word).as_deref() == Some("AUTO_INCREMENT");
                    known.has_default |= words.iter().any(automatic);
                }
                _ => {}
            }
        }
        for kind in own_keys {
            self.keys.push(Key {
                name: None,
                line: known.line,
                kind,
                parts: vec![KeyPart::Column(known.name.clone())],
            });
        }
        self.columns.push(known);
    }

    fn add_constraint(&mut self, constraint: &TableConstraint) {
        let (kind, name, columns) = match constraint {
            TableConstraint::PrimaryKey(key) => (KeyKind::Primary, None, &key.columns),
            TableConstraint::Unique(key) => {
                let name = key.index_name.as_ref().or(key.name.as_ref());
                (KeyKind::Unique, name, &key.columns)
            }
            TableConstraint::Index(key) => (KeyKind::Plain, key.name.as_ref(), &key.columns),
            TableConstraint::FulltextOrSpatial(key) => {
                let kind = if key.fulltext {
                    KeyKind::FullText
                } else {
                    KeyKind::Spatial
                };
                (kind, key.opt_index_name.as_ref(), &key.columns)
            }
            TableConstraint::ForeignKey(key) => {
                let place = key.name.as_ref().or(key.columns.first());
                let line = place.map_or(0, |ident| line(ident.span));
                let name = key.index_name.as_ref().or(key.name.as_ref());
                let name = name.map(|name| name.value.clone());
                let columns = key.columns.iter().map(|column| column.value.clone());
                return self.add_foreign_key(name, line, columns.collect(), &key.foreign_table);
            }
            TableConstraint::Check(_) => {
                self.checks = true;
                return;
            }
            _ => return,
        };
        let place = name.map(|name| name.span);
        let place = place.or_else(|| columns.first().map(ast::Spanned::span));
        self.keys.push(Key {
            name: name.map(|name| name.value.clone()),
            line: place.map_or(0, line),
            kind,
            parts: columns.iter().map(key_part).collect(),
        });
    }

    fn add_foreign_key(
        &mut self,
        name: Option<String>,
        line: usize,
        columns: Vec<String>,
        table: &ObjectName,
    ) {
        let parts: Vec<String> = parts(table);
        let table = match parts.as_slice() {
            [.., database, name] => Name {
                database: Some(database.clone()),
                name: name.clone(),
                bare: false,
            },
            [name] => Name {
                database: None,
                name: name.clone(),
                bare: false,
            },
            [] => return,
        };
        self.foreign_keys.push(ForeignKey {
            name,
            line,
            columns,
            table,
        });
    }
}

fn given(value: &Expr) -> Given {
    match value {
        Expr::Value(value) if matches!(value.value, ast::Value::Null) => Given::Null,
        Expr::Nested(_) => Given::Expression,
        Expr::Function(function) if NOW.contains(&last(&function.name).to_uppercase().as_str()) => {
            let arguments = function.args.to_string();
            let digits = arguments.trim_matches(['(', ')']).parse();
            Given::Now(digits.unwrap_or_default())
        }
        Expr::Function(_) | Expr::Identifier(_) | Expr::BinaryOp { .. } => Given::Bare,
        _ => Given::Literal,
    }
}

/// The names of CURRENT_TIMESTAMP.
const NOW: [&str; 4] = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];

fn is_long(data_type: &str) -> bool {
    let name = data_type.split(['(', ' ']).next().unwrap_or_default();
    name.ends_with("TEXT") || name.ends_with("BLOB")
}

fn members(data_type: &DataType) -> Vec<String> {
    match data_type {
        DataType::Enum(members, _) => members
            .iter()
            .map(|member| match member {
                EnumMember::Name(name) | EnumMember::NamedValue(name, _) => name.clone(),
            })
            .collect(),
        DataType::Set(members) => members.clone(),
        _ => Vec::new(),
    }
}

/// `a(10)` looks like the call of a function.
fn key_part(part: &IndexColumn) -> KeyPart {
    match &part.column.expr {
        Expr::Identifier(name) => KeyPart::Column(name.value.clone()),
        Expr::Function(function) => KeyPart::Prefix(last(&function.name)),
        _ => KeyPart::Expression,
    }
}

fn parts(name: &ObjectName) -> Vec<String> {
    name.0
        .iter()
        .filter_map(|part| part.as_ident())
        .map(|part| part.value.clone())
        .collect()
}

fn last(name: &ObjectName) -> String {
    parts(name).pop().unwrap_or_default()
}
