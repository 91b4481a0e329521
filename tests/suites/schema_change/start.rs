//! The settings that a function needs to start.

use tests::stack::Stack;
use tests::stand_ins::lambda::Function;

#[tokio::test]
async fn the_error_names_every_missing_setting() {
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_database().await.unwrap();
    let function = Function::of(&stack, &database, "migrate-schema").unwrap();
    let missing = [
        "DATABASE_SECRET_ID",
        "PLANETSCALE_ORGANIZATION",
        "PLANETSCALE_DATABASE",
        "PLANETSCALE_TOKEN_SECRET_ID",
    ];
    let function = missing
        .iter()
        .fold(function, |function, name| function.env(name, ""));
    let exit = function.run().await.unwrap();
    assert!(!exit.status.success());
    let line = exit.output.lines().next().unwrap();
    for name in missing {
        assert!(line.contains(name), "{name} is missing in {line}");
    }
}

#[tokio::test]
async fn a_function_without_planetscale_needs_none_of_its_settings() {
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_database().await.unwrap();
    let function = Function::of(&stack, &database, "health").unwrap();
    function.start().await.unwrap();
}
