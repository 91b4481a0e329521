//! Makes the data folder of a server with nothing but the system tables.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use tokio::process::Command;

use super::find::{Make, ServerProgram};
use crate::stack::file;
use crate::stack::process::Processes;

/// The scripts that MariaDB's installer runs, by their newer and older names. The installer itself
/// (`mariadb-install-db`) is in another package on some systems.
const SYSTEM_TABLES: [[&str; 2]; 2] = [
    ["mariadb_system_tables.sql", "mysql_system_tables.sql"],
    [
        "mariadb_system_tables_data.sql",
        "mysql_system_tables_data.sql",
    ],
];

/// Makes `data`, which must not exist, inside `folder`.
pub async fn initialize(
    program: &ServerProgram,
    processes: &Processes,
    folder: &Path,
    data: &Path,
) -> anyhow::Result<()> {
    match program.make {
        Make::MySql => {
            let mut initialize = program.command(folder, None);
            initialize
                .arg("--initialize-insecure")
                .arg(format!("--datadir={}", data.display()));
            run(processes, initialize).await
        }
        Make::MariaDb => {
            file::create_folder(data)?;
            let script = folder.join("system-tables.sql");
            file::write(&script, &system_tables(program, folder).await?)?;
            let mut bootstrap = program.command(folder, None);
            bootstrap
                .arg("--bootstrap")
                .arg(format!("--datadir={}", data.display()))
                .arg("--max-allowed-packet=8M")
                .stdin(file::open(&script)?);
            run(processes, bootstrap).await?;
            file::remove(&script)
        }
    }
}

async fn run(processes: &Processes, command: Command) -> anyhow::Result<()> {
    let made = processes.run("server", command).await;
    made.map_err(|error| anyhow!("can't make the server's data folder: {error}"))
}

async fn system_tables(program: &ServerProgram, folder: &Path) -> anyhow::Result<String> {
    // The server knows where it is installed. Its messages are beside the scripts.
    let help = program
        .command(folder, None)
        .args(["--verbose", "--help"])
        .output()
        .await;
    let help = help.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let help = help.unwrap_or_default();
    let folders = script_folders(&help);
    let mut sql =
        String::from("CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n");
    for names in SYSTEM_TABLES {
        let mut candidates = folders
            .iter()
            .flat_map(|folder| names.iter().map(|name| folder.join(name)));
        let script = candidates.find(|file| file.is_file()).with_context(|| {
            let script = names.join(" or ");
            format!("can't find MariaDB's {script} in any of {folders:?}: install the whole server package")
        })?;
        let _ = writeln!(sql, "{}", file::read(&script)?);
    }
    // The scripts also make users without a password for this machine's name.
    sql.push_str(
        "DELETE FROM global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');\n",
    );
    Ok(sql)
}

fn script_folders(help: &str) -> Vec<PathBuf> {
    let setting = |name: &str| {
        help.lines().find_map(|line| {
            let value = line.strip_prefix(name)?;
            value.starts_with(' ').then(|| PathBuf::from(value.trim()))
        })
    };
    let mut folders = Vec::new();
    for base in [setting("lc-messages-dir"), setting("basedir")]
        .into_iter()
        .flatten()
    {
        for below in ["", "share", "share/mariadb", "share/mysql", "scripts"] {
            folders.push(base.join(below));
        }
    }
    folders
}
