//! `cargo dev` as its users run it: what it serves, what it prints, and what it leaves behind.

mod ci;
mod command;
mod control_plane;
mod database;
mod existing_database;
mod interrupted;
mod lint_command;
mod new_route;
mod vitess;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mysql_async::prelude::Queryable;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::json;

use command::{
    Dev, add_migration, connect, fresh_folder, get, migrated_with_approval, names, processes,
    refused, relative, succeeded,
};

#[tokio::test]
async fn it_serves_the_api_and_leaves_nothing_behind() {
    tests::stack::Stack::from_env().unwrap();
    let folder = fresh_folder("dev");
    let port = tests::stack::free_port().unwrap();

    let dev = Dev::start(&folder, port);
    let url = dev.url.clone();
    let (status, _) = get(&format!("{url}/health?ready")).await;
    assert_eq!(status, 200);
    let watch = fs::read_to_string(folder.join("logs/cargo-lambda-watch.log")).unwrap();
    assert!(!watch.contains("Compiling"), "{watch}");
    let order = dev.order_shown();
    let (status, body) = get(&format!("{url}/orders/{order}")).await;
    assert_eq!((status, &body["id"]), (200, &json!(order)));
    let new = json!({
        "customer_id": body["customer_id"],
        "currency": "EUR",
        "items": [{"sku": "TEA-1", "quantity": 2, "unit_price": "4.50"}],
    });
    let placed = tests::http_client()
        .post(format!("{url}/orders"))
        .json(&new)
        .send()
        .await
        .unwrap();
    assert_eq!(placed.status(), 201);

    let environment = folder.join("environment");
    assert_eq!(
        environment.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(
        fs::read_to_string(&environment)
            .unwrap()
            .contains(&format!("API_URL={url}\n"))
    );

    let branch = format!("kept-{port}");
    let planetscale = control_plane::client(&folder);
    let new = json!({"name": branch});
    let made = planetscale.send(Method::POST, "/branches", Some(&new));
    assert_eq!(made.await.unwrap().0, 201);
    assert!(dev.output().contains("pscale branch list orders"));

    let report = succeeded("review", &folder);
    assert!(report.contains("Queries of orders/main"), "{report}");

    let migration = add_migration(&folder);
    let said = succeeded("migrate", &folder);
    assert!(said.contains("Opens the deploy request"), "{said}");
    assert!(
        said.contains(&format!("+CREATE TABLE `{migration}`")),
        "{said}"
    );
    assert!(
        said.contains(&format!("Production has {migration} ")),
        "{said}"
    );
    let said = succeeded("migrate", &folder);
    assert!(said.contains("Production has every migration"), "{said}");
    let migration = add_migration(&folder);
    let said = migrated_with_approval(&folder);
    assert!(
        said.contains(&format!("Production has {migration} ")),
        "{said}"
    );

    let said = succeeded("restore", &folder);
    assert!(said.contains("back-up-database: begun"), "{said}");
    assert!(said.contains("as many rows of each table"), "{said}");
    let said = succeeded("restore", &folder);
    assert!(said.contains("back-up-database: fresh"), "{said}");
    for _ in 0..2 {
        let said = succeeded("rotate", &folder);
        assert!(said.contains("setSecret: logged in"), "{said}");
        assert!(said.contains("the new login is AWSCURRENT"), "{said}");
    }

    let port_text = port.to_string();
    let said = refused(&["--folder", relative(&folder), "--port", &port_text]);
    assert!(said.contains("cargo dev is running already"), "{said}");
    let other = folder.with_file_name("dev-other");
    let said = refused(&["--folder", relative(&other), "--port", &port_text]);
    assert!(
        said.contains(&format!("another program uses port {port}")),
        "{said}"
    );

    // The server, the Secrets Manager, cargo lambda watch, and four functions.
    assert!(dev.processes().len() >= 7, "{:?}", dev.processes());
    dev.signal(Signal::SIGTERM);
    let (status, output) = dev.wait();
    assert!(status.success(), "{output}");
    assert_eq!(processes(&folder), []);
    assert!(!environment.exists());

    // If its server dies, it says so and stops the rest.
    let dev = Dev::start(&folder, port);
    let data = format!("--datadir={}", folder.join("data").display());
    for (id, command) in dev.processes() {
        if command.contains(&data) {
            kill(Pid::from_raw(id), Signal::SIGKILL).unwrap();
        }
    }
    let (status, output) = dev.wait();
    assert!(!status.success());
    assert!(output.contains("server ended with signal: 9"), "{output}");
    assert_eq!(processes(&folder), []);

    // If it is killed itself, the next start stops what is left. It drops the schema of a
    // `cargo dev lint` that was killed too.
    let dev = Dev::start(&folder, port);
    get(&format!("{url}/health")).await;
    let mut connection = connect(&folder).await;
    connection
        .query_drop("CREATE DATABASE cargo_dev_lint_left")
        .await
        .unwrap();
    dev.signal(Signal::SIGKILL);
    dev.wait();
    let left = processes(&folder);
    assert!(left.len() >= 4, "{left:?}");
    let dev = Dev::start(&folder, port);
    assert!(
        dev.output()
            .contains("stopped what an earlier run has left"),
        "{}",
        dev.output()
    );
    let now = dev.processes();
    assert!(
        left.iter()
            .all(|(id, _)| now.iter().all(|(other, _)| other != id)),
        "{now:?}"
    );
    let mut connection = connect(&folder).await;
    let schemas: Vec<String> = connection.query("SHOW DATABASES").await.unwrap();
    assert!(
        !schemas.contains(&"cargo_dev_lint_left".to_owned()),
        "{schemas:?}"
    );
    // The branch has outlived all of this, and the token too.
    let planetscale = control_plane::client(&folder);
    for (method, status) in [(Method::GET, 200), (Method::DELETE, 204)] {
        let path = format!("/branches/{branch}");
        let answer = planetscale.send(method, &path, None).await.unwrap();
        assert_eq!(answer.0, status);
    }
    dev.signal(Signal::SIGINT);
    assert!(dev.wait().0.success());
    assert_eq!(processes(&folder), []);
}

#[test]
fn a_folder_is_not_confused_with_one_that_has_a_longer_name() {
    let folder = Path::new("/target/tmp/dev");
    for own in [
        "--datadir=/target/tmp/dev/data",
        "MARK=/target/tmp/dev:server A=b",
        "/target/tmp/dev",
    ] {
        assert!(names(own, folder), "{own}");
    }
    for other in [
        "--datadir=/target/tmp/dev-other/data",
        "/target/tmp/device",
        "/target/tmp",
    ] {
        assert!(!names(other, folder), "{other}");
    }
    // A target folder may lie anywhere.
    assert_eq!(relative(folder), "/target/tmp/dev");
    assert_eq!(
        relative(&tests::root().join("target/tmp/dev")),
        "target/tmp/dev"
    );
}

#[test]
fn wrong_arguments_are_named() {
    for (arguments, wrong) in [
        (&["--sever", "x"][..], "--sever"),
        (&["--port", "many"], "many"),
        (&["--port"], "--port"),
        (&["tset"], "tset"),
        (&["test", "--port", "1"], "--port"),
        (&["--port", "1", "test"], "--port"),
        (&["test", "--template", "x"], "--template"),
        (&["lint", "--port", "1"], "--port"),
        (&["migrate", "--port", "1"], "--port"),
        (&["restore", "--port", "1"], "--port"),
        (&["review", "--port", "1"], "--port"),
        (&["rotate", "x"], "\"x\""),
        (&["lint", "a", "b"], "\"b\""),
    ] {
        let said = refused(arguments);
        let mut lines = said.lines();
        let named = lines.any(|line| line.starts_with("error: ") && line.contains(wrong));
        assert!(named, "{said}");
        assert!(said.contains("Usage: cargo dev"), "{said}");
    }
}

#[test]
fn what_needs_a_running_stack_says_that_there_is_none() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dev-not-running");
    for command in ["migrate", "restore", "review", "rotate"] {
        let said = refused(&[command, "--folder", relative(&folder)]);
        assert!(said.contains("cargo dev is not running"), "{said}");
    }
}

#[test]
fn a_server_path_that_is_no_program_is_named() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dev-no-server");
    let port = tests::stack::free_port().unwrap().to_string();
    let place = ["--folder", relative(&folder), "--port", &port];
    let said = refused(&[&["--server", "/no/such/mysqld"], &place[..]].concat());
    assert!(said.contains("/no/such/mysqld is not a program"), "{said}");
}
