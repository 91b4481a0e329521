//! Finds the server program: the one that was asked for, then one on this machine, then one from a
//! package manager, then one in a container.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use nix::unistd::{getegid, geteuid};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::stack::process::{Processes, command};
use crate::stack::progress::Progress;
use crate::stack::tools::install;

/// Where server programs are that an ordinary user's PATH does not name.
const USUAL_PLACES: [&str; 10] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/bin",
    "/usr/libexec",
    "/usr/local/mysql/bin",
    "/opt/homebrew/bin",
    "/opt/homebrew/opt/mysql/bin",
    "/opt/homebrew/opt/mariadb/bin",
    "/usr/local/opt/mysql/bin",
    "/usr/local/opt/mariadb/bin",
];

const IMAGE: &str = "mysql:8.4";

/// Runs the image's server, not the script around it, which refuses a folder without data unless it
/// gets a password. The server's own arguments follow.
const PROGRAM_OF_IMAGE: [&str; 3] = ["--entrypoint", "mysqld", IMAGE];

/// A server program that can be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerProgram {
    location: Location,
    /// Whose it is.
    pub make: Make,
    /// As it says itself.
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Location {
    Path(PathBuf),
    Docker,
}

/// The two that speak MySQL's protocol, with their differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Make {
    /// Oracle's.
    MySql,
    /// MariaDB's.
    MariaDb,
}

/// Finds a server program or installs one, and shows what it does.
pub async fn find(
    asked_for: Option<&Path>,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<ServerProgram> {
    let named_by_variable = std::env::var_os("MYSQLD").filter(|value| !value.is_empty());
    if let Some(path) = asked_for.or(named_by_variable.as_deref().map(Path::new)) {
        return ServerProgram::at(path.to_owned()).await;
    }
    let search = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        search(&path, &USUAL_PLACES.map(PathBuf::from))
    };
    if let Some(path) = search() {
        return ServerProgram::at(path).await;
    }
    let line = match install::server(processes, progress).await {
        Ok(()) => match search() {
            Some(path) => return ServerProgram::at(path).await,
            None => "the package manager installed a server, but it can't be found".to_owned(),
        },
        Err(reason) => reason,
    };
    if docker_runs().await {
        progress.say(&format!(
            "  no server on this machine: running {IMAGE} in docker ({line})"
        ));
        let step = progress.step("getting the image");
        let program = ServerProgram::ask(Location::Docker).await?;
        step.done(IMAGE);
        return Ok(program);
    }
    bail!(
        "no database server: there is no mysqld and no mariadbd on the PATH or in the usual places;\n  \
         the package manager can't help: {line};\n  docker is not running;\n  \
         or name a server program yourself: --server PATH, or the variable MYSQLD"
    )
}

/// `mysqld` before `mariadbd`, the PATH before the usual places.
fn search(path: &OsStr, usual_places: &[PathBuf]) -> Option<PathBuf> {
    let folders: Vec<_> = std::env::split_paths(path)
        .chain(usual_places.iter().cloned())
        .collect();
    let in_folders = |name| {
        folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|file| is_program(file))
    };
    ["mysqld", "mariadbd"].into_iter().find_map(in_folders)
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

async fn docker_runs() -> bool {
    let info = Command::new("docker").arg("info").output().await;
    info.is_ok_and(|output| output.status.success())
}

impl ServerProgram {
    async fn at(path: PathBuf) -> anyhow::Result<Self> {
        if !is_program(&path) {
            bail!(
                "{} is not a program (from --server or MYSQLD)",
                path.display()
            );
        }
        let path = std::path::absolute(&path).unwrap_or(path);
        Self::ask(Location::Path(path)).await
    }

    async fn ask(location: Location) -> anyhow::Result<Self> {
        let (mut ask, shown) = match &location {
            Location::Path(path) => (Command::new(path), path.clone()),
            Location::Docker => {
                let mut docker = Command::new("docker");
                docker.args(["run", "--rm"]).args(PROGRAM_OF_IMAGE);
                (docker, PathBuf::from(IMAGE))
            }
        };
        let output = ask
            .args(location.no_defaults())
            .arg("--version")
            .output()
            .await;
        let shown = shown.display();
        let unknown = |said: &str| {
            anyhow!("{shown} does not tell its version as a MySQL or MariaDB server does: {said}")
        };
        let output = output.map_err(|error| unknown(&error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match parse_version(&said) {
            Some((make, major, minor)) if make.takes(major, minor) => Ok(Self {
                location,
                make,
                version: said,
            }),
            Some(_) => bail!(
                "{shown} is too old: {said}. MySQL 8.0 or MariaDB 10.6 is needed at least; name \
                 another one with --server PATH"
            ),
            None => Err(unknown(&format!(
                "{said}{}",
                String::from_utf8_lossy(&output.stderr).trim()
            ))),
        }
    }

    /// The start of a command that runs the program. In a container it has `folder` and `port` of
    /// this machine.
    pub fn command(&self, folder: &Path, port: Option<u16>) -> Command {
        let mut command = match &self.location {
            Location::Path(path) => command(path),
            Location::Docker => {
                let mut docker = command("docker");
                docker
                    .args(["run", "--rm", "--init", "--cidfile"])
                    .arg(container_id(folder));
                docker
                    .arg("--user")
                    .arg(format!("{}:{}", geteuid(), getegid()));
                let same = folder.display();
                docker.arg("--volume").arg(format!("{same}:{same}"));
                if let Some(port) = port {
                    docker
                        .arg("--publish")
                        .arg(format!("127.0.0.1:{port}:{port}"));
                }
                docker.args(PROGRAM_OF_IMAGE);
                docker
            }
        };
        command.args(self.location.no_defaults());
        if geteuid().is_root() {
            command.arg("--user=root");
        }
        // A server that starts removes everything that looks like a temporary table, even another
        // server's.
        let temporary = folder.join("tmp");
        // Where it can't be made, the server says so.
        let _ = std::fs::create_dir_all(&temporary);
        command.arg(format!("--tmpdir={}", temporary.display()));
        command
    }

    /// Whether it is a program of this machine and not in a container.
    pub fn is_native(&self) -> bool {
        matches!(self.location, Location::Path(_))
    }

    /// The address that the server has to listen on to be reached at 127.0.0.1.
    pub fn bind_address(&self) -> &'static str {
        match self.location {
            Location::Path(_) => "127.0.0.1",
            Location::Docker => "0.0.0.0",
        }
    }

    /// Removes the container of this folder and the file that names it. A container outlives a
    /// `docker run` that is killed.
    pub fn remove_container(&self, folder: &Path) {
        if let Some(mut remove) = self.removal(folder) {
            let _ = remove.output();
            let _ = std::fs::remove_file(container_id(folder));
        }
    }

    fn removal(&self, folder: &Path) -> Option<std::process::Command> {
        let Location::Docker = self.location else {
            return None;
        };
        let id = std::fs::read_to_string(container_id(folder)).ok()?;
        let mut remove = std::process::Command::new("docker");
        remove.args(["rm", "--force", id.trim()]);
        Some(remove)
    }

    /// Differs between two programs, and between two versions of one.
    pub fn identity(&self) -> String {
        format!("{self}\n{}", self.version)
    }
}

impl Location {
    /// Keeps the server from reading the system's configuration. The server accepts this flag only
    /// once, and a script around it may pass it already.
    fn no_defaults(&self) -> Option<&'static str> {
        const FLAG: &str = "--no-defaults";
        let mut start = Vec::new();
        if let Self::Path(path) = self {
            // A file that can't be read can't be run either. That is reported there.
            let _ = File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start));
        }
        let script = start
            .starts_with(b"#!")
            .then(|| String::from_utf8_lossy(&start));
        (!script.is_some_and(|script| script.contains(FLAG))).then_some(FLAG)
    }
}

fn container_id(folder: &Path) -> PathBuf {
    folder.join("container")
}

impl fmt::Display for ServerProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (make, number) = match parse_version(&self.version) {
            Some((Make::MySql, major, minor)) => ("MySQL", format!("{major}.{minor}")),
            Some((Make::MariaDb, major, minor)) => ("MariaDB", format!("{major}.{minor}")),
            None => ("server", String::new()),
        };
        match &self.location {
            Location::Path(path) => write!(f, "{make} {number} ({})", path.display()),
            Location::Docker => write!(f, "{make} {number} (docker, {IMAGE})"),
        }
    }
}

impl Make {
    /// Whether the project runs on this version.
    fn takes(self, major: u32, minor: u32) -> bool {
        match self {
            Make::MySql => major >= 8,
            Make::MariaDb => (major, minor) >= (10, 6),
        }
    }
}

/// Reads `… Ver 10.11.19-MariaDB-… for …` and `… Ver 9.7.0 for …`.
fn parse_version(said: &str) -> Option<(Make, u32, u32)> {
    let make = if said.contains("MariaDB") {
        Make::MariaDb
    } else {
        Make::MySql
    };
    let (_, version) = said.split_once(" Ver ")?;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((make, numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MYSQL: &str = "/usr/sbin/mysqld  Ver 9.7.0 for Linux on x86_64 ((Debian))";
    const MARIADB: &str = "/usr/sbin/mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)";

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version(MYSQL), Some((Make::MySql, 9, 7)));
        assert_eq!(parse_version(MARIADB), Some((Make::MariaDb, 10, 11)));
        assert_eq!(parse_version("no version"), None);
        assert!(
            !Make::MySql.takes(5, 7) && !Make::MariaDb.takes(10, 5) && Make::MariaDb.takes(11, 4)
        );
    }

    /// Folders with empty programs in them, by name.
    struct Folders(PathBuf);

    impl Folders {
        fn new(test: &str, programs: &[&str]) -> Self {
            use std::os::unix::fs::PermissionsExt;
            let root = std::env::temp_dir().join(format!("find-{test}-{}", std::process::id()));
            for program in programs {
                let file = root.join(program);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(&file, "").unwrap();
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self(root)
        }

        fn search(&self) -> Option<String> {
            let path = std::env::join_paths([self.0.join("a"), self.0.join("b")]).unwrap();
            let found = search(&path, &[self.0.join("usual")])?;
            Some(found.strip_prefix(&self.0).unwrap().display().to_string())
        }
    }

    impl Drop for Folders {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn mysql_comes_before_mariadb_and_the_path_before_the_usual_places() {
        for (there, found) in [
            (["usual/mysqld", "b/mysqld"], "b/mysqld"),
            (["usual/mysqld", "a/mariadbd"], "usual/mysqld"),
            (["usual/mariadbd", "b/mariadbd"], "b/mariadbd"),
        ] {
            let folders = Folders::new("search", &there);
            assert_eq!(folders.search().as_deref(), Some(found), "{there:?}");
        }
    }

    #[test]
    fn files_that_cannot_be_run_are_ignored() {
        let folders = Folders::new("none", &["a/mysqld/x"]);
        std::fs::create_dir_all(folders.0.join("b")).unwrap();
        std::fs::write(folders.0.join("b/mysqld"), "not executable").unwrap();
        assert_eq!(folders.search(), None);
    }

    #[test]
    fn a_container_runs_the_server_itself_and_is_removed_by_its_id() {
        let program = ServerProgram {
            location: Location::Docker,
            make: Make::MySql,
            version: MYSQL.to_owned(),
        };
        let folder = Folders::new("docker", &["container"]);
        let of = |command: &std::process::Command| {
            let words = command.get_args().map(|word| word.to_str().unwrap());
            format!("docker {}", words.collect::<Vec<_>>().join(" "))
        };
        let run = of(program.command(&folder.0, Some(3306)).as_std());
        let (docker, server) = run.split_once(" mysql:8.4 ").unwrap();
        let same = folder.0.display();
        assert!(docker.starts_with("docker run --rm "), "{docker}");
        assert!(docker.ends_with(" --entrypoint mysqld"), "{docker}");
        for option in [
            format!(" --cidfile {same}/container "),
            format!(" --volume {same}:{same} "),
            " --publish 127.0.0.1:3306:3306 ".to_owned(),
        ] {
            assert!(docker.contains(&option), "{docker}");
        }
        assert!(server.starts_with("--no-defaults "), "{server}");
        assert!(
            server.split(' ').all(|word| word.starts_with("--")),
            "{server}"
        );

        std::fs::write(folder.0.join("container"), "0123abcd\n").unwrap();
        let removal = program.removal(&folder.0).unwrap();
        assert_eq!(of(&removal), "docker rm --force 0123abcd");
        let on_this_machine = ServerProgram {
            location: Location::Path("/usr/sbin/mysqld".into()),
            ..program
        };
        assert!(on_this_machine.removal(&folder.0).is_none());
    }
}
