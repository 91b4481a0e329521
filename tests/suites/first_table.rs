//! The walk in `functions/README.md` from a migration to a first answer, as it is written there, and
//! its list of what still says "orders".

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use serde_json::{Map, Value, json};
use tests::{
    cargo_dev::lint,
    stack::{Stack, Template},
    stand_ins::lambda::{Function, event::Event},
};

use mysql_async::prelude::Queryable as _;

/// The text of the README below a heading.
fn section(heading: &str) -> String {
    let readme = fs::read_to_string(tests::root().join("functions/README.md")).unwrap();
    let (_, section) = readme.split_once(heading).unwrap();
    section.to_owned()
}

/// A fenced block of the walk, by its language and its place among those of that language.
fn block(language: &str, place: usize) -> String {
    let fence = format!("```{language}\n");
    let walk = section("\n## Add a table\n");
    let block = walk.split(&fence).nth(place + 1).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// The template with the walk's resource and path.
fn template() -> Template {
    let template = fs::read_to_string(tests::root().join("template.yaml")).unwrap();
    let template = template.replacen(
        "\nResources:\n",
        &format!("\nResources:\n{}", block("yaml", 0)),
        1,
    );
    let paths = format!("        paths:\n{}", block("yaml", 1));
    Template::parse(&template.replacen("        paths:\n", &paths, 1)).unwrap()
}

/// A workspace like this one with the walk's crates as its only members, on the crates of this one,
/// and with the walk's migration after those of this one.
fn workspace() -> PathBuf {
    let root = tests::root();
    let folder = root.join("target/first-table");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (head, rest) = manifest.split_once("\nmembers = ").unwrap();
    let (_, rest) = rest.split_once("\nexclude = ").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let shared = format!("path = \"{}/shared/", root.display());
    let rest = rest.replace("path = \"shared/", &shared).replacen(
        "[workspace.dependencies]\n",
        &format!("[workspace.dependencies]\n{}", block("toml", 1)),
        1,
    );
    let manifest = format!("{head}\nmembers = [\"functions/*\", \"shared/wishes\"]\n{rest}");
    for (file, text) in [
        ("Cargo.toml", manifest),
        ("shared/wishes/Cargo.toml", block("toml", 0)),
        ("shared/wishes/src/lib.rs", block("rust", 0)),
        ("functions/add-wish/Cargo.toml", block("toml", 2)),
        ("functions/add-wish/src/main.rs", block("rust", 1)),
        ("shared/migrations/0002_wishes.sql", block("sql", 0)),
    ] {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    for file in ["Cargo.lock", "shared/migrations/0001_orders.sql"] {
        fs::copy(root.join(file), folder.join(file)).unwrap();
    }
    folder
}

fn cargo(workspace: &Path, arguments: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).current_dir(workspace);
    let output = cargo.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{errors}");
    assert!(!errors.contains("warning: "), "{errors}");
}

#[test]
fn a_function_is_as_short_as_it_is_promised() {
    for (language, place, most) in [("toml", 2, 8), ("rust", 1, 30)] {
        let lines = block(language, place).lines().count();
        assert!(lines <= most, "{language}: {lines} lines");
    }
    let lines = block("yaml", 0).lines().count() + block("yaml", 1).lines().count();
    assert!(lines <= 12, "yaml: {lines} lines");
    let mut functions = 0;
    for folder in fs::read_dir(tests::root().join("functions")).unwrap() {
        let folder = folder.unwrap().path();
        let lines = |file: &str| {
            let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
            text.lines().count()
        };
        let main = fs::read_to_string(folder.join("src/main.rs")).unwrap_or_default();
        if main.contains("api::serve(") {
            functions += 1;
            assert!(lines("Cargo.toml") <= 8, "{}", folder.display());
            assert!(lines("src/main.rs") <= 30, "{}", folder.display());
        }
    }
    assert!(functions > 0);
}

#[test]
fn the_template_takes_the_route_as_it_is_written() {
    let template = template();
    let example = template.function("add-wish").unwrap();
    let like = template.function("create-order").unwrap();
    let [route] = example.routes.as_slice() else {
        panic!("{:?}", example.routes);
    };
    assert_eq!(route.method, "POST");
    assert!(block("rust", 1).contains(&format!("Route::post(\"{}\")", route.path)));
    assert_eq!(example.environment, like.environment);

    // A call needs the scope that every write needs.
    let template = fs::read_to_string(tests::root().join("template.yaml")).unwrap();
    let (_, write) = template.split_once("          /orders: { ").unwrap();
    let (write, _) = write.split_once(" }\n").unwrap();
    assert!(block("yaml", 1).contains(write), "{write}");
}

#[test]
fn the_vschema_takes_the_table_as_it_is_written() {
    let table = format!("{{{}}}", block("json", 0));
    let table: Map<String, Value> = serde_json::from_str(&table).unwrap();
    let vschema = fs::read_to_string(tests::root().join("shared/migrations/vschema.json")).unwrap();
    let vschema: Value = serde_json::from_str(&vschema).unwrap();
    // Both tables have the customer's shard and nothing else.
    let like = vschema.pointer("/tables/order_items");
    assert_eq!(table.get("wishes"), like);
}

#[tokio::test]
async fn the_walk_leads_to_a_first_answer() {
    let stack = Stack::from_env().unwrap();
    if stack.existing_database().await.unwrap().is_some() {
        tests::skipped("an existing database gets no table from a test");
        return;
    }
    let workspace = workspace();
    let lint = lint::Request {
        folder: Some(workspace.join("shared/migrations")),
        server: std::env::var_os("MYSQLD").map(PathBuf::from),
        ..lint::Request::default()
    };
    assert_eq!(lint::run(&lint).await.unwrap(), ExitCode::SUCCESS);

    let packages = ["--package", "wishes", "--package", "add-wish"];
    let format = [&["fmt", "--check"], &packages[..]].concat();
    cargo(&workspace, &format);
    let target = tests::root().join("target");
    let to_target = ["build", "--target-dir", target.to_str().unwrap()];
    cargo(&workspace, &[&to_target, &packages[..]].concat());

    let database = stack.fresh_database().await.unwrap();
    let mut admin = stack.admin().await.unwrap();
    let schema = format!("USE `{}`", database.name());
    admin.query_drop(schema).await.unwrap();
    admin.query_drop(block("sql", 0)).await.unwrap();

    // It has the environment of every function of the API.
    let function = Function::of(&stack, &database, "create-order").unwrap();
    let function = function.program(target.join("debug/add-wish"));
    let function = function.start().await.unwrap();

    let wish = Event::post("/customers/cust-0001/wishes").json(&json!({"article": "TEA-1"}));
    let answer = function.invoke(wish).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body, json!({"articles": ["TEA-1"]}));

    // The walk's own test sends the same and expects the same.
    let test = block("rust", 2);
    let (_, asks) = test.rsplit_once("\n\n").unwrap();
    let asks = asks.trim_end().strip_suffix("\n}").unwrap();
    assert!(include_str!("first_table.rs").contains(asks), "{asks}");

    let stranger = Event::post("/customers/cust-0001/wishes").jwt("somebody-else", "");
    let stranger = stranger.json(&json!({"article": "TEA-1"}));
    assert_eq!(function.invoke(stranger).await.unwrap().status, 403);
    let wrong = Event::post("/customers/cust-0001/wishes").json(&json!({"article": ""}));
    assert_eq!(function.invoke(wrong).await.unwrap().status, 422);
}

/// The files below a folder, as paths from the top of the checkout.
fn files(folder: &Path) -> Vec<PathBuf> {
    let made = ["target", ".git", ".aws-sam", ".env"];
    let mut files = Vec::new();
    for entry in fs::read_dir(tests::root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if made.iter().any(|made| path == Path::new(made)) {
            continue;
        }
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn every_place_that_says_orders_is_in_the_list() {
    let list = section("\n### What still says `orders`\n");
    let table = list.split("\n#").next().unwrap();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(" |"));
    let places: Vec<_> = rows
        .flat_map(|(places, _)| places.split(", "))
        .map(|place| place.trim_matches('`'))
        .collect();
    let says_orders = files(Path::new(""))
        .into_iter()
        .filter(|file| {
            let text = fs::read(tests::root().join(file)).unwrap();
            let text = String::from_utf8_lossy(&text).to_lowercase();
            text.contains("orders")
        })
        .collect::<Vec<_>>();
    for file in &says_orders {
        let listed = places.iter().any(|place| file.starts_with(place));
        assert!(
            listed,
            "{} says orders and is not in the list",
            file.display()
        );
    }
    for place in places {
        let mut files = says_orders.iter();
        assert!(
            files.any(|file| file.starts_with(place)),
            "{place} does not say orders"
        );
    }
}
