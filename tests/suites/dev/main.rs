//! `cargo dev` as its users run it: what it serves, what it prints, and what it leaves behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ci;
mod control_plane;
mod database;
mod existing_database;
mod interrupted;
mod lint_command;
mod new_route;
mod vitess;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};

/// Far more than any step takes, on any machine, once the functions are built.
const PATIENCE: Duration = Duration::from_secs(120);

fn cargo_dev() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .arg("dev")
        .current_dir(tests::root())
        // Calls to this machine must not use a proxy, so this one does not exist.
        .env("http_proxy", "http://127.0.0.1:1")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .stdin(Stdio::null());
    // With the variables that cargo has added for this test, it would build some dependencies again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO"
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs it to its end and returns what it wrote to standard error.
fn refused(arguments: &[&str]) -> String {
    let output = cargo_dev().args(arguments).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// The folder as seen from the top of the checkout, where it is below that.
fn relative(folder: &Path) -> &str {
    let seen = folder.strip_prefix(tests::root()).unwrap_or(folder);
    seen.to_str().unwrap()
}

/// A folder for `cargo dev` without the data of earlier runs, whose migrations may have been others.
fn fresh_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for part in ["data", "migrations"] {
        let _ = fs::remove_dir_all(folder.join(part));
    }
    folder
}

/// The project's migrations, and those that this test has added.
fn migrations(folder: &Path) -> PathBuf {
    let own = folder.join("migrations");
    fs::create_dir_all(&own).unwrap();
    for file in fs::read_dir(tests::root().join("shared/migrations")).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, own.join(path.file_name().unwrap())).unwrap();
    }
    own
}

/// Waits a little before the next look.
fn moment() {
    sleep(Duration::from_millis(50));
}

/// Adds a migration that creates a table of the same name, which it returns.
fn add_migration(folder: &Path) -> String {
    let own = migrations(folder);
    let files = fs::read_dir(&own).unwrap();
    // Other files than migrations have no number.
    let numbers = files.filter_map(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        name.get(..4)?.parse::<u32>().ok()
    });
    let name = format!("{:04}_added", numbers.max().unwrap() + 1);
    let sql = format!("CREATE TABLE `{name}` (id INT NOT NULL, PRIMARY KEY (id));\n");
    fs::write(own.join(format!("{name}.sql")), sql).unwrap();
    name
}

/// Runs this command on the running stack. It must succeed; returns what it has written.
fn succeeded(command: &str, folder: &Path) -> String {
    let mut running = cargo_dev();
    running.args([command, "--folder", relative(folder)]);
    let output = running.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// Runs `cargo dev migrate --approval`, and what it says to be run in another terminal.
fn migrated_with_approval(folder: &Path) -> String {
    let mut migrate = cargo_dev();
    migrate.args(["migrate", "--approval", "--folder", relative(folder)]);
    let mut child = migrate.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("/reviews)") {
            let mut approve = Command::new("bash");
            approve.args(["-c", &line]).current_dir(tests::root());
            let output = approve.output().unwrap();
            assert!(output.status.success(), "{line}: {output:?}");
        }
        said += &format!("{line}\n");
    }
    assert!(child.wait().unwrap().success(), "{said}");
    said
}

/// A `cargo dev` with a folder of its own.
struct Dev {
    child: Child,
    folder: PathBuf,
    url: String,
}

impl Dev {
    fn start(folder: &Path, port: u16) -> Self {
        Self::start_with(folder, port, &[])
    }

    fn start_with(folder: &Path, port: u16, more: &[&str]) -> Self {
        let _ = fs::remove_file(folder.join("output"));
        fs::create_dir_all(folder).unwrap();
        let output = File::create(folder.join("output")).unwrap();
        let child = cargo_dev()
            .args(["--folder", relative(folder)])
            .args(["--port", &port.to_string()])
            .args(more)
            .env("MIGRATIONS_FOLDER", migrations(folder))
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut dev = Self {
            child,
            folder: folder.to_owned(),
            url: format!("http://localhost:{port}"),
        };
        // There is no limit for the build: cargo also waits for other builds on this machine.
        while !dev.says("functions built") {}
        let began = Instant::now();
        while !dev.says("To stop:") {
            assert!(began.elapsed() < PATIENCE, "{}", dev.output());
        }
        dev
    }

    /// Waits a little, and returns whether it has printed the text. It has to be running.
    fn says(&mut self, text: &str) -> bool {
        assert_eq!(self.child.try_wait().unwrap(), None, "{}", self.output());
        moment();
        self.output().contains(text)
    }

    /// The processes of its folder that it has started.
    fn processes(&self) -> Vec<(i32, String)> {
        let mut processes = processes(&self.folder);
        processes.retain(|(id, _)| *id != self.child.id() as i32);
        processes
    }

    /// Everything it has written.
    fn output(&self) -> String {
        fs::read_to_string(self.folder.join("output")).unwrap()
    }

    /// The id of an order that the printed examples use.
    fn order_shown(&self) -> String {
        let output = self.output();
        let (_, rest) = output
            .split_once(&format!("curl {}/orders/", self.url))
            .unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.output())
    }
}

/// The processes that have the folder in their arguments or environment, `cargo dev` itself too.
fn processes(folder: &Path) -> Vec<(i32, String)> {
    let arguments = if cfg!(target_os = "macos") {
        ["-A", "-E", "-ww"]
    } else {
        ["a", "x", "eww"]
    };
    let listing = Command::new("ps")
        .args(arguments)
        .args(["-o", "pid=,command="])
        .output()
        .unwrap();
    String::from_utf8_lossy(&listing.stdout)
        .lines()
        .filter(|line| names(line, folder))
        .map(|line| line.trim().split_once(' ').unwrap())
        .map(|(id, command)| (id.parse().unwrap(), command.to_owned()))
        .collect()
}

/// Whether the text names the folder or something in it. A longer name does not count.
fn names(text: &str, folder: &Path) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let mut behind = text.split(folder.to_str().unwrap()).skip(1);
    behind.any(|rest| !rest.starts_with(goes_on))
}

async fn get(url: &str) -> (u16, Value) {
    let response = tests::http_client().get(url).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

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

    // If it is killed itself, the next start stops what is left.
    let dev = Dev::start(&folder, port);
    get(&format!("{url}/health")).await;
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
