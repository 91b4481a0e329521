//! What a statement is by its words: a change of tables and views, or something that does not
//! belong in a migration. What a change does is not read here; the server says it.

use crate::{
    ledger,
    rule::Rule,
    snapshot::same,
    split::{Kind, Statement, Token, object},
};

/// What the words of a statement say.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// What is refused whatever the server would say: the line, the rule and what is there.
    pub(crate) refused: Vec<(usize, Rule, String)>,
    /// The tables and views that it is about. None where it must not be run.
    pub(crate) objects: Option<Vec<String>>,
    /// Whether other tables may refer to something by a new name afterwards.
    pub(crate) renames: bool,
}

/// The first words of what does not belong in a migration. The first that fits counts.
const STATEMENTS: &[(&str, Rule)] = &[
    (
        "INSERT|REPLACE|UPDATE|DELETE|TRUNCATE|LOAD|IMPORT|CALL|DO|HANDLER",
        Rule::NotDdl,
    ),
    (
        "SELECT|WITH|VALUES|TABLE|SHOW|DESCRIBE|DESC|EXPLAIN|HELP|CHECK|CHECKSUM",
        Rule::Reads,
    ),
    ("SET|USE|RESET|PREPARE|EXECUTE|DEALLOCATE", Rule::Session),
    (
        "BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|XA",
        Rule::Session,
    ),
    ("ANALYZE|OPTIMIZE|REPAIR|CACHE", Rule::Maintenance),
    ("RENAME TABLE|TABLES", Rule::RenameTable),
    ("GRANT|REVOKE|RENAME", Rule::Users),
    ("LOCK|UNLOCK", Rule::LockTables),
    ("DELIMITER|SOURCE", Rule::Client),
    (
        "FLUSH|KILL|SHUTDOWN|RESTART|INSTALL|UNINSTALL|PURGE|CHANGE|STOP|CLONE|BINLOG",
        Rule::Administration,
    ),
];

/// What CREATE, ALTER and DROP must not be about.
const OBJECTS: &[(&str, Rule)] = &[
    ("TRIGGER", Rule::Trigger),
    ("PROCEDURE|FUNCTION|PACKAGE", Rule::Routine),
    ("EVENT", Rule::Event),
    ("USER|ROLE", Rule::Users),
    ("SEQUENCE", Rule::OnlyMariaDb),
    (
        "DATABASE|SCHEMA|SERVER|TABLESPACE|INSTANCE|LOGFILE|RESOURCE|REFERENCE",
        Rule::Administration,
    ),
];

/// The first words of clauses of ALTER TABLE that are refused, or allowed before another says more.
const CLAUSES: &[(&str, Option<Rule>)] = &[
    ("RENAME INDEX|KEY", None),
    ("RENAME COLUMN", Some(Rule::RenameColumn)),
    ("RENAME", Some(Rule::RenameTable)),
    ("ALGORITHM|LOCK", Some(Rule::HowToApply)),
    ("DROP PARTITION", Some(Rule::DropPartition)),
    ("TRUNCATE|EXCHANGE PARTITION", Some(Rule::NotDdl)),
    (
        "ANALYZE|CHECK|OPTIMIZE|REBUILD|REPAIR PARTITION",
        Some(Rule::Maintenance),
    ),
    (
        "DISCARD|IMPORT PARTITION|TABLESPACE",
        Some(Rule::Administration),
    ),
];

/// What does no harm on a scratch schema, so that what follows can be judged.
const HARMLESS: [Rule; 7] = [
    Rule::Vitess,
    Rule::Conditional,
    Rule::CopiedTable,
    Rule::DropPartition,
    Rule::HowToApply,
    Rule::RenameColumn,
    Rule::RenameTable,
];

/// Reads what the statement is.
pub(crate) fn read(statement: &Statement) -> Reading {
    let mut words = Words {
        tokens: statement.tokens(),
        place: 0,
        reading: Reading::default(),
    };
    let objects = words.statement();
    let is_harmless = |(_, rule, _): &(usize, Rule, String)| HARMLESS.contains(rule);
    let may_run = words.reading.refused.iter().all(is_harmless);
    Reading {
        objects: objects.filter(|_| may_run),
        ..words.reading
    }
}

struct Words<'s> {
    tokens: &'s [Token],
    place: usize,
    reading: Reading,
}

impl<'s> Words<'s> {
    fn statement(&mut self) -> Option<Vec<String>> {
        let tokens = self.tokens;
        let bare = |token: &&Token| token.kind == Kind::Word && !token.text.is_ascii();
        if let Some(token) = tokens.iter().find(bare) {
            let what = format!("`{}` is a name with letters outside ASCII", token.text);
            self.refuse(token.line, Rule::Vitess, what);
        }
        // A query may stand in parentheses.
        while self.take("(") {}
        let verb = tokens.get(self.place)?;
        let known = STATEMENTS
            .iter()
            .find(|(words, _)| begins(tokens.get(self.place..), words));
        if let Some((_, rule)) = known {
            self.foreign(verb, *rule);
            self.reading.renames = *rule == Rule::RenameTable;
            return self.reading.renames.then(Vec::new);
        }
        let is_definition = is_one_of(verb, "CREATE|ALTER|DROP");
        let (true, Some((place, object))) = (is_definition, object(tokens)) else {
            let what = format!(
                "no statement of MySQL begins like this with `{}`",
                verb.text
            );
            self.refuse(verb.line, Rule::NoSql, what);
            return None;
        };
        if let Some((_, rule)) = OBJECTS
            .iter()
            .find(|(words, _)| begins(tokens.get(place..), words))
        {
            let what = format!(
                "{} {object} does not belong in a migration",
                verb.text.to_uppercase()
            );
            self.refuse(verb.line, *rule, what);
            return None;
        }
        for token in tokens.get(1..place).unwrap_or_default() {
            if token.is("TEMPORARY") {
                self.foreign(token, Rule::Session);
            } else if token.is("REPLACE") && object != "VIEW" {
                self.conditional(token);
            }
        }
        self.place = place + 1;
        self.condition();
        let mut objects = Vec::new();
        if object == "INDEX" {
            while !self.next()?.is("ON") {}
        }
        objects.push(self.name()?);
        while verb.is("DROP") && self.take(",") {
            objects.push(self.name()?);
        }
        self.rest(verb, object, objects.first()?);
        Some(objects)
    }

    /// What follows the names of the objects.
    fn rest(&mut self, verb: &Token, object: &str, name: &str) {
        let (tokens, start) = (self.tokens, self.place);
        let (mut depth, mut begins_clause, mut is_copy) = (0_usize, true, false);
        for (place, token) in tokens.iter().enumerate().skip(start) {
            let next = tokens.get(place + 1);
            let is_next = |words: &str| next.is_some_and(|next| is_one_of(next, words));
            depth = depth.saturating_sub(usize::from(token.is(")")));
            if depth == 0 && token.is("IF") && is_next("EXISTS|NOT") {
                self.conditional(token);
            }
            // EXTRACT and the like have a FROM in parentheses.
            let before_table =
                is_one_of(token, "REFERENCES|JOIN") || depth == 0 && token.is("FROM");
            if let (true, Some(database), Some(dot)) = (before_table, next, tokens.get(place + 2))
                && dot.is(".")
            {
                self.other_database(database);
            }
            // A LIKE of a CHECK stands deeper.
            is_copy |= depth <= 1 && is_one_of(token, "SELECT|LIKE|TABLE")
                || depth == 0 && token.is("VALUES");
            if object == "VIEW" && token.is("TABLE") {
                let what = "TABLE stands for a query".to_owned();
                self.refuse(token.line, Rule::Vitess, what);
            } else if object == "INDEX" && depth == 0 && is_one_of(token, "ALGORITHM|LOCK") {
                self.foreign(token, Rule::HowToApply);
            } else if verb.is("ALTER") && object == "TABLE" && begins_clause {
                self.clause(token, tokens.get(place..).unwrap_or_default());
            }
            begins_clause = depth == 0 && token.is(",");
            depth += usize::from(token.is("("));
        }
        if is_copy && verb.is("CREATE") && object == "TABLE" {
            let what = format!("the columns and keys of `{name}` are copied and not written out");
            self.refuse(verb.line, Rule::CopiedTable, what);
        }
    }

    /// A clause of ALTER TABLE.
    fn clause(&mut self, first: &Token, tokens: &[Token]) {
        let name = |place: usize| tokens.get(place).map_or("", |token| token.text.as_str());
        let known = CLAUSES
            .iter()
            .find(|(words, _)| begins(Some(tokens), words));
        if let Some((_, rule)) = known {
            self.reading.renames |= first.is("RENAME");
            if let Some(rule) = rule {
                self.foreign(first, *rule);
            }
        } else if first.is("CHANGE") {
            let old = 1 + usize::from(name(1).eq_ignore_ascii_case("COLUMN"));
            if !same(name(old), name(old + 1)) {
                self.reading.renames = true;
                let what = format!("renames the column `{}` to `{}`", name(old), name(old + 1));
                self.refuse(first.line, Rule::RenameColumn, what);
            }
        }
    }

    /// The name of a table or a view, under the rules on it.
    fn name(&mut self) -> Option<String> {
        let mut name = self.next().filter(|token| token.is_name())?;
        if self.take(".") {
            self.other_database(name);
            name = self.next()?;
        }
        if name.text == ledger::TABLE {
            let what = format!("`{}` is not for migrations", ledger::TABLE);
            self.refuse(name.line, Rule::Ledger, what);
        }
        Some(name.text.clone())
    }

    /// IF EXISTS or IF NOT EXISTS before a name.
    fn condition(&mut self) {
        if let Some(token) = self.tokens.get(self.place).filter(|token| token.is("IF")) {
            self.conditional(token);
            while self.next().is_some_and(|token| !token.is("EXISTS")) {}
        }
    }

    fn conditional(&mut self, token: &Token) {
        let what = format!(
            "{} hides whether the statement did anything",
            token.text.to_uppercase()
        );
        self.refuse(token.line, Rule::Conditional, what);
    }

    fn other_database(&mut self, token: &Token) {
        let what = format!("a table is named with a database, `{}`", token.text);
        self.refuse(token.line, Rule::OtherDatabase, what);
    }

    fn foreign(&mut self, token: &Token, rule: Rule) {
        let what = format!(
            "{} does not belong in a migration",
            token.text.to_uppercase()
        );
        self.refuse(token.line, rule, what);
    }

    fn refuse(&mut self, line: usize, rule: Rule, what: String) {
        self.reading.refused.push((line, rule, what));
    }

    fn next(&mut self) -> Option<&'s Token> {
        let token = self.tokens.get(self.place);
        self.place += 1;
        token
    }

    fn take(&mut self, text: &str) -> bool {
        let is_there = self
            .tokens
            .get(self.place)
            .is_some_and(|token| token.is(text));
        self.place += usize::from(is_there);
        is_there
    }
}

/// Whether the tokens begin with these words, each of which may be one of several.
fn begins(tokens: Option<&[Token]>, words: &str) -> bool {
    let mut tokens = tokens.unwrap_or_default().iter();
    let mut words = words.split(' ');
    words.all(|words| tokens.next().is_some_and(|token| is_one_of(token, words)))
}

fn is_one_of(token: &Token, words: &str) -> bool {
    words.split('|').any(|word| token.is(word))
}
