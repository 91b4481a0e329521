//! What a statement is by its words: a change of tables and views, or something that does not
//! belong in a migration. What a change does is not read here; the server says it.

use crate::{
    ledger,
    rule::Rule,
    snapshot::same,
    split::{Kind, Statement, Token},
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

/// What CREATE, ALTER and DROP may be about, and what they must not be about.
const OBJECTS: &[(&str, Option<Rule>)] = &[
    ("TABLE|TABLES|INDEX|VIEW", None),
    ("TRIGGER", Some(Rule::Trigger)),
    ("PROCEDURE|FUNCTION|PACKAGE", Some(Rule::Routine)),
    ("EVENT", Some(Rule::Event)),
    ("USER|ROLE", Some(Rule::Users)),
    ("SEQUENCE", Some(Rule::OnlyMariaDb)),
    (
        "DATABASE|SCHEMA|SERVER|TABLESPACE|INSTANCE|LOGFILE|RESOURCE|REFERENCE",
        Some(Rule::Administration),
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
        tokens: &statement.tokens,
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
            self.refuse(token, Rule::Vitess, what);
        }
        // A query may stand in parentheses.
        while self.take("(").is_some() {}
        let verb = tokens.get(self.place)?;
        let mut known = STATEMENTS.iter();
        if let Some((_, rule)) = known.find(|(words, _)| begins(tokens, self.place, words)) {
            self.foreign(verb, *rule);
            self.reading.renames = *rule == Rule::RenameTable;
            return self.reading.renames.then(Vec::new);
        }
        let object = object(tokens).filter(|_| verb.is_one_of("CREATE|ALTER|DROP"));
        let Some((place, object, rule)) = object else {
            let what = format!(
                "no statement of MySQL begins like this with `{}`",
                verb.text
            );
            self.refuse(verb, Rule::NoSql, what);
            return None;
        };
        if let Some(rule) = rule {
            let (verb_text, object) = (verb.text.to_uppercase(), object.text.to_uppercase());
            let what = format!("{verb_text} {object} does not belong in a migration");
            self.refuse(verb, rule, what);
            return None;
        }
        for token in tokens.get(1..place).unwrap_or_default() {
            if token.is("TEMPORARY") {
                self.foreign(token, Rule::Session);
            } else if token.is("REPLACE") && !object.is("VIEW") {
                self.conditional(token);
            }
        }
        self.place = place + 1;
        if let Some(token) = self.take("IF") {
            self.conditional(token);
            while !self.next()?.is("EXISTS") {}
        }
        if object.is("INDEX") {
            while !self.next()?.is("ON") {}
        }
        let mut objects = vec![self.name()?];
        while verb.is("DROP") && self.take(",").is_some() {
            objects.push(self.name()?);
        }
        self.rest(verb, object, objects.first()?);
        Some(objects)
    }

    /// What follows the names of the objects.
    fn rest(&mut self, verb: &Token, object: &Token, name: &str) {
        let (tokens, start) = (self.tokens, self.place);
        let (mut depth, mut begins_clause, mut is_copy) = (0_usize, true, false);
        let mut lists_tables = false;
        for (place, token) in tokens.iter().enumerate().skip(start) {
            let next = tokens.get(place + 1);
            depth = depth.saturating_sub(usize::from(token.is(")")));
            if depth == 0 && begins(tokens, place, "IF EXISTS|NOT") {
                self.conditional(token);
            }
            // A comma names another table only between FROM and the next clause. EXTRACT and the like
            // have a FROM in parentheses.
            if depth == 0 && token.is_one_of("FROM|SELECT|WHERE|GROUP|HAVING|WINDOW|ORDER|LIMIT") {
                lists_tables = token.is("FROM");
            }
            let before_table = token.is_one_of("REFERENCES|JOIN")
                || depth == 0 && lists_tables && token.is_one_of("FROM|,");
            if let (true, Some(database), Some(dot)) = (before_table, next, tokens.get(place + 2))
                && dot.is(".")
            {
                self.other_database(database);
            }
            // A LIKE of a CHECK stands deeper.
            is_copy |= depth <= 1 && token.is_one_of("SELECT|LIKE|TABLE")
                || depth == 0 && token.is("VALUES");
            if object.is("VIEW") && token.is("TABLE") {
                self.refuse(token, Rule::Vitess, "TABLE stands for a query");
            } else if object.is("INDEX") && depth == 0 && token.is_one_of("ALGORITHM|LOCK") {
                self.foreign(token, Rule::HowToApply);
            } else if verb.is("ALTER") && object.is("TABLE") && begins_clause {
                self.clause(token, place);
            }
            begins_clause = depth == 0 && token.is(",");
            depth += usize::from(token.is("("));
        }
        if is_copy && verb.is("CREATE") && object.is("TABLE") {
            let what = format!("the columns and keys of `{name}` are copied and not written out");
            self.refuse(verb, Rule::CopiedTable, what);
        }
    }

    /// A clause of ALTER TABLE.
    fn clause(&mut self, first: &Token, place: usize) {
        let mut known = CLAUSES.iter();
        if let Some((_, rule)) = known.find(|(words, _)| begins(self.tokens, place, words)) {
            self.reading.renames |= first.is("RENAME");
            rule.iter().for_each(|rule| self.foreign(first, *rule));
        } else if first.is("CHANGE") {
            let skipped = if begins(self.tokens, place, "CHANGE COLUMN") {
                2
            } else {
                1
            };
            if let Some([old, new]) = self.tokens.get(place + skipped..place + skipped + 2)
                && !same(&old.text, &new.text)
            {
                self.reading.renames = true;
                let what = format!("renames the column `{}` to `{}`", old.text, new.text);
                self.refuse(first, Rule::RenameColumn, what);
            }
        }
    }

    /// The name of a table or a view, under the rules on it.
    fn name(&mut self) -> Option<String> {
        let mut name = self.next().filter(|token| token.is_name())?;
        if self.take(".").is_some() {
            self.other_database(name);
            name = self.next()?;
        }
        if name.text == ledger::TABLE {
            let what = format!("`{}` is not for migrations", ledger::TABLE);
            self.refuse(name, Rule::Ledger, what);
        }
        Some(name.text.clone())
    }

    fn conditional(&mut self, token: &Token) {
        let word = token.text.to_uppercase();
        let what = format!("{word} hides whether the statement did anything");
        self.refuse(token, Rule::Conditional, what);
    }

    fn other_database(&mut self, token: &Token) {
        let what = format!("a table is named with a database, `{}`", token.text);
        self.refuse(token, Rule::OtherDatabase, what);
    }

    fn foreign(&mut self, token: &Token, rule: Rule) {
        let word = token.text.to_uppercase();
        self.refuse(
            token,
            rule,
            format!("{word} does not belong in a migration"),
        );
    }

    fn refuse(&mut self, token: &Token, rule: Rule, what: impl Into<String>) {
        self.reading.refused.push((token.line, rule, what.into()));
    }

    fn next(&mut self) -> Option<&'s Token> {
        let token = self.tokens.get(self.place);
        self.place += 1;
        token
    }

    fn take(&mut self, text: &str) -> Option<&'s Token> {
        let token = self.tokens.get(self.place)?;
        token.is(text).then(|| self.next())?
    }
}

/// What CREATE, ALTER or DROP is about, the place of that word, and the rule that refuses it. Any
/// such word may also be a name, as of the user in `DEFINER = event@localhost`.
fn object(tokens: &[Token]) -> Option<(usize, &Token, Option<Rule>)> {
    let pairs = tokens.windows(2).enumerate().take(24);
    let mut found = pairs.filter_map(|(place, pair)| {
        let [before, token] = pair else { return None };
        let (_, rule) = OBJECTS.iter().find(|(words, _)| token.is_one_of(words))?;
        (!before.is_one_of("=|@|.")).then_some((place + 1, token, *rule))
    });
    found.next()
}

/// Whether the statement may have a body of statements.
pub(crate) fn has_body(tokens: &[Token]) -> bool {
    let rule = object(tokens).and_then(|(.., rule)| rule);
    matches!(rule, Some(Rule::Trigger | Rule::Routine | Rule::Event))
}

/// Whether these words begin at the place, each of which may be one of several.
fn begins(tokens: &[Token], place: usize, words: &str) -> bool {
    let mut tokens = tokens.iter().skip(place);
    let mut words = words.split(' ');
    words.all(|words| tokens.next().is_some_and(|token| token.is_one_of(words)))
}
