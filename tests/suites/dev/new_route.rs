//! A change of `template.yaml` while `cargo dev` runs.

use std::fs;

use nix::sys::signal::Signal;

use crate::command::{Dev, fresh_folder, get, processes};

#[tokio::test]
async fn a_route_that_the_template_gains_is_served_and_a_mistake_in_it_is_named() {
    tests::stack::Stack::from_env().unwrap();
    let folder = fresh_folder("dev-new-route");
    fs::create_dir_all(&folder).unwrap();
    let complete = fs::read_to_string(tests::root().join("template.yaml")).unwrap();
    let without_route = complete.replace("Path: /health", "Path: /elsewhere");
    assert_ne!(complete, without_route);
    let template = folder.join("template.yaml");
    fs::write(&template, &without_route).unwrap();
    let port = tests::stack::free_port().unwrap();
    let mut dev = Dev::start_with(&folder, port, &["--template", template.to_str().unwrap()]);
    let health = format!("{}/health", dev.url);
    assert_eq!(get(&health).await.0, 404);

    fs::write(&template, complete.replace("Path: /health", "Path:")).unwrap();
    while !dev.says("keep running as they were") {}
    assert!(
        dev.output()
            .contains("an HttpApi event without Path or Method"),
        "{}",
        dev.output()
    );
    assert_eq!(get(&health).await.0, 404);
    // What was written before the change is not shown again.
    let log = fs::read_to_string(folder.join("logs/cargo-lambda-watch.log")).unwrap();
    let first = log.lines().find(|line| !line.trim().is_empty()).unwrap();
    assert_eq!(dev.output().matches(first).count(), 1, "{}", dev.output());

    fs::write(&template, &complete).unwrap();
    while !dev.says("the functions follow template.yaml again") {}
    assert_eq!(get(&health).await.0, 200);

    dev.signal(Signal::SIGINT);
    let (status, output) = dev.wait();
    assert!(status.success(), "{output}");
    assert_eq!(processes(&folder), []);
}
