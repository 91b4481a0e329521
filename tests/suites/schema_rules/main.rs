//! The rules on migrations, held against the stack's server: hundreds of migrations of the kinds
//! that projects write, each after the same first one.
//!
//! `cases.sql` has them, each with the rules that find something in it. Where MariaDB answers in
//! another way, what it finds stands behind `| mariadb`.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use database::settings::Settings;
use database::{Database, Session};
use lambda::Deadline;
use lambda::clock::SystemClock;
use mysql_async::prelude::Queryable;
use schema::{Finding, Make, Migrations, Options, Snapshot};
use tests::stack::{FreshDatabase, Stack};

const BASE: &str = include_str!("base.sql");
const CASES: &str = include_str!("cases.sql");

/// A schema of its own, on which migrations are run. It goes with the database of the user, whose name
/// it begins with.
struct Scratch(Database, String);

impl Scratch {
    async fn new(login: &FreshDatabase) -> Self {
        let name = format!("{}_{}", login.name(), uuid::Uuid::new_v4().simple());
        let mut admin = login.connect_as_admin().await.unwrap();
        for statement in [
            format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4"),
            format!("GRANT ALL ON `{name}`.* TO '{}'@'%'", login.username()),
        ] {
            admin.query_drop(statement).await.unwrap();
        }
        admin.disconnect().await.unwrap();
        let url = login.url();
        let (server, _) = url.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        let environment = login.environment("health").unwrap();
        let settings = Settings::read(|variable| match variable {
            "DATABASE_URL" => Some(url.clone()),
            "DATABASE_STATEMENT_TIMEOUT_MS" | "DATABASE_CONNECT_TIMEOUT_MS" => {
                Some("60000".to_owned())
            }
            "DATABASE_SECRET_ID" => None,
            variable => environment.get(variable).cloned(),
        });
        let database = Database::new(settings.unwrap(), Arc::new(SystemClock));
        Self(database, name)
    }

    async fn session(&self) -> Session<'_> {
        self.0.session(deadline()).await.unwrap()
    }

    async fn drop(self) {
        let drop = format!("DROP DATABASE `{}`", self.1);
        self.session().await.define(&drop).await.unwrap();
        self.0.close().await;
    }
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(600))
}

/// The migrations of a folder with these files.
fn migrations(files: &[(&str, &str)]) -> Migrations {
    let folder: PathBuf = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
    fs::create_dir_all(&folder).unwrap();
    for (name, sql) in files {
        fs::write(folder.join(name), sql).unwrap();
    }
    let migrations = Migrations::read(&folder).unwrap();
    fs::remove_dir_all(folder).unwrap();
    migrations
}

async fn findings(
    login: &FreshDatabase,
    files: &[(&str, &str)],
    options: &Options,
) -> Vec<Finding> {
    let scratch = Scratch::new(login).await;
    let migrations = migrations(files);
    let mut session = scratch.session().await;
    let found = schema::check(&mut session, migrations.iter(), options).await;
    drop(session);
    scratch.drop().await;
    found.unwrap()
}

/// A case, and the codes that are expected on a server of this make.
fn case(block: &str, make: Make) -> (&str, Vec<&str>) {
    let (first, sql) = block.split_once('\n').unwrap_or((block, ""));
    let expected = first.strip_prefix("-- ").unwrap();
    let (on_mysql, on_mariadb) = match expected.split_once(" | mariadb ") {
        Some(both) => both,
        None => (expected, expected),
    };
    let expected = match make {
        Make::MySql => on_mysql,
        Make::MariaDb => on_mariadb,
    };
    let codes = expected.split(' ').filter(|code| *code != "accepted");
    let mut codes: Vec<&str> = codes.collect();
    codes.sort_unstable();
    (sql, codes)
}

#[tokio::test]
async fn each_migration_is_judged_as_the_server_has_it() {
    let stack = Stack::from_env().unwrap();
    // Queries are for production, which is as the first migration has left it.
    let login = stack.fresh_database().await.unwrap();
    let base = Scratch::new(&login).await;
    let mut session = base.session().await;
    let first = migrations(&[("0001_base.sql", BASE)]);
    let found = schema::check(&mut session, first.iter(), &Options::default()).await;
    assert_eq!(found.unwrap(), []);
    let make = Snapshot::read(&mut session).await.unwrap().make();
    drop(session);

    let cases: VecDeque<&str> = CASES.trim_end().split("\n\n").collect();
    assert!(cases.len() > 200);
    let cases = Arc::new(Mutex::new(cases));
    let wrong = Arc::new(Mutex::new(Vec::new()));
    let queries = Arc::new(Mutex::new(Vec::new()));
    let work = async || {
        while let Some(block) = { cases.lock().unwrap().pop_front() } {
            let (sql, expected) = case(block, make);
            let files = [("0001_base.sql", BASE), ("0002_case.sql", sql)];
            let found = findings(&login, &files, &Options::default()).await;
            let mut codes: Vec<&str> = found.iter().map(|finding| finding.rule.code()).collect();
            codes.sort_unstable();
            if codes != expected {
                wrong
                    .lock()
                    .unwrap()
                    .push(format!("{sql}\n  expected {expected:?}, found {found:#?}"));
            }
            let found = found.into_iter().filter_map(|finding| finding.query);
            queries.lock().unwrap().extend(found);
        }
    };
    // Servers make tables faster side by side, up to a point.
    tokio::join!(work(), work(), work(), work(), work(), work());

    let mut session = base.session().await;
    let queries = std::mem::take(&mut *queries.lock().unwrap());
    for query in queries {
        if let Err(error) = session.define(&query).await {
            wrong.lock().unwrap().push(format!("{query}\n  {error}"));
        }
    }
    drop(session);
    base.drop().await;
    let wrong = wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn foreign_keys_are_judged_where_the_database_allows_them() {
    let stack = Stack::from_env().unwrap();
    let login = stack.fresh_database().await.unwrap();
    let add = "ALTER TABLE orders ADD CONSTRAINT of_customer \
               FOREIGN KEY (customer_id) REFERENCES customers (id);";
    let files = [("0001_base.sql", BASE), ("0002_add.sql", add)];
    let options = Options { foreign_keys: true };
    let found = findings(&login, &files, &options).await;
    let codes: Vec<&str> = found.iter().map(|finding| finding.rule.code()).collect();
    assert_eq!(codes, ["foreign-key-on-rows"], "{found:#?}");
    assert_eq!(
        found[0].query.as_deref(),
        Some(
            "SELECT c.* FROM `orders` c LEFT JOIN `customers` p ON p.`id` = c.`customer_id` \
             WHERE c.`customer_id` IS NOT NULL AND p.`id` IS NULL LIMIT 10"
        )
    );
}

#[tokio::test]
async fn a_finding_stands_at_the_statement_and_the_line_that_made_it_so() {
    let stack = Stack::from_env().unwrap();
    let login = stack.fresh_database().await.unwrap();
    let change = "\
-- about
CREATE TABLE carts (
  id INT,
  code INT
);
ALTER TABLE orders
  ADD a INT,
  DROP note;
ALTER TABLE carts ADD b INT;
DROP TABLE
  nope;
DELIMITER $$
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW BEGIN SET @a = 1; END$$
DELIMITER ;
ALTER TABLE missing ADD a INT;
";
    let files = [("0001_base.sql", BASE), ("0002_change.sql", change)];
    let found = findings(&login, &files, &Options::default()).await;
    let places: Vec<(usize, &str)> = found
        .iter()
        .map(|finding| (finding.line, finding.rule.code()))
        .collect();
    let expected = [
        (2, "no-key"),
        (8, "drop-column"),
        (8, "drop-and-add"),
        (10, "refused"),
        (12, "client"),
        (13, "trigger"),
        (15, "refused"),
    ];
    assert_eq!(places, expected, "{found:#?}");
}

#[tokio::test]
async fn migrations_that_are_deployed_together_are_judged_together() {
    let stack = Stack::from_env().unwrap();
    let login = stack.fresh_database().await.unwrap();
    let options = Options::default();
    let add = "ALTER TABLE orders ADD remark VARCHAR(255) NULL;";
    let gone = "-- allow drop-column: it was copied\nALTER TABLE orders DROP note;";
    let number = "ALTER TABLE pairs ADD id BIGINT NOT NULL AUTO_INCREMENT UNIQUE;";
    let replace = "-- allow drop-index: the id is the new key\n\
         ALTER TABLE pairs DROP PRIMARY KEY, ADD PRIMARY KEY (id), DROP KEY id;";
    let allowed = format!("-- allow key-replaced: nobody writes it\n{replace}");
    let drop_table = "-- allow drop-table: it begins anew\nDROP TABLE pairs;";
    let old = BASE.split(';').find(|sql| sql.contains("TABLE pairs"));
    let of_another = "ALTER TABLE customers ADD remark INT NULL;";
    let both = format!("-- allow drop-and-add: they have nothing in common\n{gone}\n{add}");
    for ([first, second], expected) in [
        ([add, gone], Some((2, "drop-and-add"))),
        ([number, replace], Some((2, "key-replaced"))),
        ([number, allowed.as_str()], None),
        (
            [
                gone,
                "ALTER TABLE orders ADD note VARCHAR(255) NULL AFTER total;",
            ],
            Some((1, "drop-and-add")),
        ),
        ([drop_table, old.unwrap().trim()], Some((1, "drop-and-add"))),
        ([gone, of_another], None),
        (
            [both.as_str(), "ALTER TABLE orders ADD more INT NULL;"],
            None,
        ),
    ] {
        let scratch = Scratch::new(&login).await;
        let mut session = scratch.session().await;
        let base = migrations(&[("0001_base.sql", BASE)]);
        let found = schema::check(&mut session, base.iter(), &options).await;
        assert_eq!(found.unwrap(), []);
        let files = migrations(&[("0001_first.sql", first), ("0002_second.sql", second)]);
        let found = schema::check(&mut session, files.iter(), &options)
            .await
            .unwrap();
        drop(session);
        scratch.drop().await;
        let places: Vec<(&str, usize, &str)> = found
            .iter()
            .map(|finding| (finding.file.as_str(), finding.line, finding.rule.code()))
            .collect();
        let expected =
            expected.map(|(line, code)| (files.iter().last().unwrap().file.as_str(), line, code));
        assert_eq!(
            places,
            Vec::from_iter(expected),
            "{first}\n{second}\n{found:#?}"
        );
    }
}

#[tokio::test]
async fn what_follows_from_a_refusal_is_not_said_again() {
    let stack = Stack::from_env().unwrap();
    let login = stack.fresh_database().await.unwrap();
    let change = "CREATE TABLE carts (id INT AUTOINCREMENT);\nALTER TABLE carts ADD a INT;\n";
    let files = [("0001_base.sql", BASE), ("0002_change.sql", change)];
    let found = findings(&login, &files, &Options::default()).await;
    let lines: Vec<usize> = found.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [1], "{found:#?}");
}

#[tokio::test]
async fn the_words_alone_tell_what_does_not_belong_in_a_migration() {
    let change = "-- allow drop-column: no one reads it\nALTER TABLE a DROP b;\nSHOW TABLES;\n";
    let found = schema::read(migrations(&[("0001_change.sql", change)]).iter());
    let places: Vec<(usize, &str)> = found
        .iter()
        .map(|finding| (finding.line, finding.rule.code()))
        .collect();
    assert_eq!(places, [(3, "reads")], "{found:#?}");
}

#[tokio::test]
async fn a_fingerprint_passes_over_what_a_deployment_changes_by_itself() {
    let stack = Stack::from_env().unwrap();
    let login = stack.fresh_database().await.unwrap();
    let scratch = Scratch::new(&login).await;
    let mut session = scratch.session().await;
    let make = async |session: &mut Session<'_>, sql: &str| {
        session.define("DROP TABLE IF EXISTS a").await.unwrap();
        session.define(sql).await.unwrap();
        Snapshot::read(session).await.unwrap()
    };
    let first =
        "CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, b INT, CONSTRAINT c CHECK (b > 0))";
    let before = make(&mut session, first).await;
    for same in [
        first.replace("CONSTRAINT c", "CONSTRAINT c_5vtaqz7kepok6wa91vryrkrje"),
        format!("{first} AUTO_INCREMENT = 7"),
    ] {
        let after = make(&mut session, &same).await;
        assert_eq!(after.fingerprint(), before.fingerprint(), "{same}");
        assert_eq!(after.differences_from(&before), [""; 0], "{same}");
    }
    for (other, said) in [
        (
            first.replace("b INT", "b BIGINT"),
            "the column `b` of `a` is bigint",
        ),
        (
            first.replace("b > 0", "b > 1"),
            "the CHECK `c` of `a` is missing",
        ),
        (
            first.replace(", b INT,", ", b INT, d INT,"),
            "the column `d` of `a` should not be there",
        ),
        (
            first.replace(
                "id INT PRIMARY KEY AUTO_INCREMENT, b INT",
                "b INT, id INT PRIMARY KEY AUTO_INCREMENT",
            ),
            "columns are in another order",
        ),
        (
            format!("{first} COMMENT = 'x'"),
            "the table `a` is defined in another way",
        ),
    ] {
        let after = make(&mut session, &other).await;
        assert_ne!(after.fingerprint(), before.fingerprint(), "{other}");
        let told = after.differences_from(&before);
        assert!(told[0].starts_with(said), "{told:?}");
    }
    drop(session);
    scratch.drop().await;
}
