//! Installs what is missing with the system's package manager, or says what to type where that needs
//! a password.

use std::path::PathBuf;

use nix::unistd::geteuid;
use tokio::process::Command;

use crate::stack::process::{Processes, command};
use crate::stack::progress::Progress;

/// A package manager and its names for the packages. The first one that exists is installed, and the
/// last one always exists. These packages do not start the server as a service of the system.
struct Manager {
    program: &'static str,
    install: &'static [&'static str],
    /// Fetches the lists of packages, if that is a separate step.
    update: Option<&'static str>,
    needs_root: bool,
    servers: &'static [&'static str],
    venv: Option<&'static str>,
}

const MANAGERS: [Manager; 3] = [
    Manager {
        program: "apt-get",
        install: &["install", "--yes", "--no-remove", "--no-install-recommends"],
        update: Some("update"),
        needs_root: true,
        servers: &[
            "mysql-server-core",
            "mysql-server-core-8.0",
            "mariadb-server-core",
        ],
        venv: Some("python3-venv"),
    },
    Manager {
        program: "dnf",
        install: &["install", "--assumeyes"],
        update: None,
        needs_root: true,
        servers: &["mysql-server", "mariadb-server"],
        venv: None,
    },
    Manager {
        program: "brew",
        install: &["install"],
        update: None,
        needs_root: false,
        servers: &["mysql"],
        venv: None,
    },
];

/// Installs a database server, or says why not and what to do.
pub async fn server(processes: &Processes, progress: &Progress) -> Result<(), String> {
    let manager = manager().ok_or("there is neither apt-get nor dnf nor brew")?;
    manager.first_of(manager.servers, processes, progress).await
}

/// Installs Python's `venv` where that is a separate package, or says why not and what to do.
pub async fn venv(processes: &Processes, progress: &Progress) -> Result<(), String> {
    let package = manager().and_then(|manager| Some((manager, manager.venv?)));
    let (manager, package) = package.ok_or("install Python 3 with its module venv")?;
    manager.first_of(&[package], processes, progress).await
}

fn manager() -> Option<&'static Manager> {
    MANAGERS
        .iter()
        .find(|manager| on_path(manager.program).is_some())
}

/// The program of this name on the PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

impl Manager {
    async fn first_of(
        &self,
        packages: &[&str],
        processes: &Processes,
        progress: &Progress,
    ) -> Result<(), String> {
        let by_sudo = self.needs_root && !geteuid().is_root();
        if by_sudo && !sudo_needs_no_password().await {
            let package = packages.last().copied().unwrap_or_default();
            return Err(format!(
                "type: sudo {} {} {package}",
                self.program,
                self.install.join(" ")
            ));
        }
        let run = |arguments: &[&str]| {
            let mut run = if by_sudo {
                command("sudo")
            } else {
                command(self.program)
            };
            if by_sudo {
                run.args(["-n", self.program]);
            }
            run.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
            processes.run("packages", run)
        };

        let mut step = progress.step(&format!(
            "installing {} ({})",
            packages.join(" or "),
            self.program
        ));
        step.follow(processes.log("packages"));
        let mut last_error = None;
        // Once more with new lists, because a new system has none.
        for update in [None, Some(self.update)] {
            match update {
                Some(Some(update)) => run(&[update]).await.map_err(|error| error.to_string())?,
                Some(None) => break,
                None => {}
            }
            for package in packages {
                match run(&[self.install, &[package]].concat()).await {
                    Ok(()) => {
                        step.done(&format!("{package} installed ({})", self.program));
                        return Ok(());
                    }
                    Err(error) => last_error = Some(error.to_string()),
                }
            }
        }
        Err(last_error.unwrap_or_default())
    }
}

async fn sudo_needs_no_password() -> bool {
    let status = Command::new("sudo").args(["-n", "true"]).output().await;
    status.is_ok_and(|output| output.status.success())
}
