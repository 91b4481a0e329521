//! The example in `functions/README.md` is compiled and run as it is written there.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy takes only the functions marked #[test] for tests, not what they call"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use tests::{
    stack::{Stack, Template},
    stand_ins::lambda::{Function, event::Event},
};

/// A fenced block of the README, by its language and its place among those of that language.
fn block(language: &str, place: usize) -> String {
    let readme = fs::read_to_string(tests::root().join("functions/README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Add a function\n").unwrap();
    let fence = format!("```{language}\n");
    let block = section.split(&fence).nth(place + 1).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// The template with the example's resource and path.
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

/// A workspace like this one with the example as its only member, on the crates of this one.
fn workspace() -> PathBuf {
    let root = tests::root();
    let folder = root.join("target/added-function");
    let function = folder.join("functions/list-items");
    fs::create_dir_all(function.join("src")).unwrap();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (head, rest) = manifest.split_once("\nmembers = ").unwrap();
    let (_, rest) = rest.split_once("\nexclude = ").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let shared = format!("path = \"{}/shared/", root.display());
    let rest = rest.replace("path = \"shared/", &shared);
    let manifest = format!("{head}\nmembers = [\"functions/*\"]\n{rest}");
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(function.join("Cargo.toml"), block("toml", 0)).unwrap();
    fs::write(function.join("src/main.rs"), block("rust", 0)).unwrap();
    folder
}

fn build(workspace: &Path) -> PathBuf {
    let target = tests::root().join("target");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("build").current_dir(workspace);
    cargo
        .args(["--package", "list-items", "--target-dir"])
        .arg(&target);
    assert!(
        cargo.status().unwrap().success(),
        "the example does not compile"
    );
    target.join("debug/list-items")
}

#[test]
fn the_example_is_as_short_as_it_is_promised() {
    for (language, most) in [("toml", 8), ("rust", 30)] {
        let lines = block(language, 0).lines().count();
        assert!(lines <= most, "{language}: {lines} lines");
    }
    let lines = block("yaml", 0).lines().count() + block("yaml", 1).lines().count();
    assert!(lines <= 12, "yaml: {lines} lines");
    for folder in fs::read_dir(tests::root().join("functions")).unwrap() {
        let folder = folder.unwrap().path();
        let lines = |file: &str| {
            let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
            text.lines().count()
        };
        let main = fs::read_to_string(folder.join("src/main.rs")).unwrap_or_default();
        if main.contains("api::serve(") {
            assert!(lines("Cargo.toml") <= 8, "{}", folder.display());
            assert!(lines("src/main.rs") <= 30, "{}", folder.display());
        }
    }
}

#[test]
fn the_template_takes_the_example_as_it_is_written() {
    let template = template();
    let example = template.function("list-items").unwrap();
    let like = template.function("get-order").unwrap();
    let [route] = example.routes.as_slice() else {
        panic!("{:?}", example.routes);
    };
    assert_eq!(route.method, "GET");
    assert!(block("rust", 0).contains(&format!("Route::get(\"{}\")", route.path)));
    assert_eq!(example.environment, like.environment);
}

#[tokio::test]
async fn the_example_compiles_and_answers_as_it_is_written() {
    let stack = Stack::from_env().unwrap();
    let program = build(&workspace());
    let database = match stack.existing_database().await.unwrap() {
        Some(given) => given,
        None => stack.fresh_database().await.unwrap(),
    };
    let create = Function::of(&stack, &database, "create-order").unwrap();
    let create = create.start().await.unwrap();
    let order = json!({
        "customer_id": format!("cust-{}", uuid::Uuid::now_v7()),
        "currency": "EUR",
        "items": [{ "sku": "TEA-1", "quantity": 2, "unit_price": "4.50" }]
    });
    let placed = create
        .invoke(Event::post("/orders").json(&order))
        .await
        .unwrap();
    assert_eq!(placed.status, 201, "{placed:?}");

    // It has the environment of every function of the API.
    let items = Function::of(&stack, &database, "get-order").unwrap();
    let items = items.program(program).start().await.unwrap();
    let path = format!("/orders/{}/items", placed.body["id"].as_str().unwrap());
    let answer = items
        .invoke(Event::get(&path).function_url())
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body, order["items"]);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let stranger = Event::get(&path).function_url().jwt("somebody-else", "");
    assert_eq!(items.invoke(stranger).await.unwrap().status, 404);
}
