//! `cargo dev` as a child process: it is started and ended, and what it writes is read.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Far more than any step takes, on any machine, once the functions are built.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn cargo_dev() -> Command {
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
pub fn refused(arguments: &[&str]) -> String {
    let output = cargo_dev().args(arguments).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// The folder as seen from the top of the checkout, where it is below that.
pub fn relative(folder: &Path) -> &str {
    let seen = folder.strip_prefix(tests::root()).unwrap_or(folder);
    seen.to_str().unwrap()
}

/// A folder for `cargo dev` without the data of earlier runs, whose migrations may have been others.
pub fn fresh_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for part in ["data", "migrations"] {
        let _ = fs::remove_dir_all(folder.join(part));
    }
    folder
}

/// The project's migrations, and those that this test has added.
pub fn migrations(folder: &Path) -> PathBuf {
    let own = folder.join("migrations");
    fs::create_dir_all(&own).unwrap();
    for file in fs::read_dir(tests::root().join("shared/migrations")).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, own.join(path.file_name().unwrap())).unwrap();
    }
    own
}

/// Waits a little before the next look.
pub fn moment() {
    sleep(Duration::from_millis(50));
}

/// Adds a migration that creates a table of the same name, which it returns.
pub fn add_migration(folder: &Path) -> String {
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
pub fn succeeded(command: &str, folder: &Path) -> String {
    let mut running = cargo_dev();
    running.args([command, "--folder", relative(folder)]);
    let output = running.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// Runs `cargo dev migrate --approval`, and what it says to be run in another terminal.
pub fn migrated_with_approval(folder: &Path) -> String {
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
pub struct Dev {
    pub child: Child,
    pub folder: PathBuf,
    pub url: String,
}

impl Dev {
    pub fn start(folder: &Path, port: u16) -> Self {
        Self::start_with(folder, port, &[])
    }

    pub fn start_with(folder: &Path, port: u16, more: &[&str]) -> Self {
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
    pub fn says(&mut self, text: &str) -> bool {
        assert_eq!(self.child.try_wait().unwrap(), None, "{}", self.output());
        moment();
        self.output().contains(text)
    }

    /// The processes of its folder that it has started.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mut processes = processes(&self.folder);
        processes.retain(|(id, _)| *id != self.child.id() as i32);
        processes
    }

    /// Everything it has written.
    pub fn output(&self) -> String {
        fs::read_to_string(self.folder.join("output")).unwrap()
    }

    /// The id of an order that the printed examples use.
    pub fn order_shown(&self) -> String {
        let output = self.output();
        let (_, rest) = output
            .split_once(&format!("curl {}/orders/", self.url))
            .unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.output())
    }
}

/// A variable of the file that a running `cargo dev` writes for other tools.
pub fn variable(folder: &Path, name: &str) -> String {
    let text = fs::read_to_string(folder.join("environment")).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap().to_owned()
}

/// A connection to its database, as other tools make it.
pub async fn connect(folder: &Path) -> Conn {
    let ca_file = PathBuf::from(variable(folder, "DATABASE_CA_FILE"));
    let tls = SslOpts::default().with_root_certs(vec![ca_file.into()]);
    let url = Opts::from_url(&variable(folder, "DATABASE_URL")).unwrap();
    let options = OptsBuilder::from_opts(url)
        .prefer_socket(false)
        .ssl_opts(tls);
    Conn::new(options).await.unwrap()
}

/// The processes that have the folder in their arguments or environment, `cargo dev` itself too.
pub fn processes(folder: &Path) -> Vec<(i32, String)> {
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
pub fn names(text: &str, folder: &Path) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let mut behind = text.split(folder.to_str().unwrap()).skip(1);
    behind.any(|rest| !rest.starts_with(goes_on))
}

pub async fn get(url: &str) -> (u16, Value) {
    let response = tests::http_client().get(url).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}
