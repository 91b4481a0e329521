//! The database server: a process of the user's own, never the system's service and never its
//! data. It listens on 127.0.0.1 alone and takes no connection without TLS.

mod find;
mod initialize;
mod memory;
mod private;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use mysql_async::Conn;

pub use find::{Make, ServerProgram, find};
pub use memory::InMemory;
pub(crate) use private::Replicas;
pub use private::{FOLDER as PRIVATE_SERVERS, PrivateServer};

use crate::stack::access::{self, ADMIN, ConnectError, Login, wait_until_let_in};
use crate::stack::file;
use crate::stack::process::{Ended, Processes, Program, free_port};
use crate::stack::progress::Progress;
use crate::stack::tls::Certificates;

/// Flags for MySQL and MariaDB. `loose` marks a flag that only one of them knows.
const FLAGS: [&str; 13] = [
    "--require-secure-transport=ON",
    "--default-time-zone=+00:00",
    // PlanetScale's, which is MySQL's own.
    "--sql-mode=ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
    "--character-set-server=utf8mb4",
    "--skip-name-resolve",
    // In the data folder, because the path of a socket is limited to about a hundred bytes.
    "--socket=server.sock",
    "--pid-file=server.pid",
    "--secure-file-priv=",
    // Data that a crash of the machine loses is quickly made again.
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-size=64M",
    "--performance-schema=OFF",
    "--loose-mysqlx=OFF",
    "--loose-auto-generate-certs=OFF",
];

/// Flags without Vitess.
const DIRECT_FLAGS: [&str; 2] = ["--max-connections=300", "--skip-log-bin"];

/// Flags for MySQL behind Vitess, whose tablets keep connections and read the log.
const FLAGS_FOR_VITESS: [&str; 5] = [
    "--max-connections=2000",
    "--log-bin=binlog",
    "--sync-binlog=0",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
];

/// More flags for MySQL behind a cluster of Vitess: a commit is acknowledged once another server has it
/// (Vitess, `config/mycnf/mysql84.cnf`).
const FLAGS_FOR_REPLICATION: [&str; 4] = [
    "--plugin-load-add=rpl_semi_sync_source=semisync_source.so;rpl_semi_sync_replica=semisync_replica.so",
    "--loose-rpl-semi-sync-source-timeout=1000000000000000000",
    "--skip-replica-start",
    "--replica-net-timeout=8",
];

/// A running server.
pub struct Server {
    /// Its program.
    pub program: ServerProgram,
    /// Its process.
    pub process: Program,
    /// Where it listens.
    pub address: SocketAddr,
    /// The password of [`ADMIN`], new with each start.
    pub admin_password: String,
    /// The application's login, new with each start.
    pub login: Login,
}

/// Whether data outlive their server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// The next start finds them.
    Kept,
    /// Each start has fresh ones. They are in memory, where there is room.
    Discarded,
}

/// Starts the server on its data in `folder`, with the flags for Vitess where that stands before it.
/// Makes the data if there is none, or if another server has made it.
pub async fn start(
    program: &ServerProgram,
    data: Data,
    for_vitess: bool,
    certificates: &Certificates,
    folder: &Path,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<Server> {
    let step = progress.step("starting the server");
    program.remove_container(folder);
    let mut path = folder.join(DATA);
    make_data(program, folder, &path, processes, progress).await?;
    // A container has no other folder.
    if data == Data::Discarded && program.is_native() {
        let memory = InMemory::of(folder);
        if memory.fill(&path).await? {
            path = memory.data();
            processes.hold(memory);
        }
    }

    let port = free_port()?;
    let admin_password = access::random_password();
    let login = Login::new("orders", "orders");
    let site = Site {
        program: program.clone(),
        for_vitess,
        replica: None,
        certificates: certificates.clone(),
        folder: folder.to_owned(),
        data: path,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        accounts: accounts_statements(&admin_password, Some(&login)),
        admin_password,
    };
    let process = site.start(processes).await?;
    step.done(&format!("server {program}, port {port}"));
    Ok(Server {
        program: site.program,
        process,
        address: site.address,
        admin_password: site.admin_password,
        login,
    })
}

/// The folder of the data, in the folder of the server.
const DATA: &str = "data";

/// What stays the same when a server is started again.
struct Site {
    program: ServerProgram,
    /// Whether Vitess stands before it.
    for_vitess: bool,
    /// Its number among the servers that replicate each other.
    replica: Option<usize>,
    certificates: Certificates,
    folder: PathBuf,
    data: PathBuf,
    address: SocketAddr,
    admin_password: String,
    /// The statements that it runs before it accepts connections.
    accounts: String,
}

impl Site {
    /// Starts the server and waits until it accepts connections.
    async fn start(&self, processes: &Processes) -> anyhow::Result<Program> {
        let Self {
            program,
            for_vitess,
            replica,
            certificates,
            folder,
            ..
        } = self;
        let accounts = folder.join("accounts.sql");
        file::write(&accounts, &self.accounts)?;
        program.remove_container(folder);
        let port = self.address.port();
        let mut run = program.command(folder, Some(port));
        let more = match for_vitess {
            true => &FLAGS_FOR_VITESS[..],
            false => &DIRECT_FLAGS,
        };
        run.args(FLAGS)
            .args(more)
            .arg(format!("--datadir={}", self.data.display()))
            .arg(format!("--bind-address={}", program.bind_address()))
            .arg(format!("--port={port}"))
            .arg(format!("--init-file={}", accounts.display()))
            .arg(format!("--ssl-ca={}", certificates.authority.display()))
            .arg(format!("--ssl-cert={}", certificates.server.display()))
            .arg(format!("--ssl-key={}", certificates.key.display()));
        if let Some(number) = replica {
            run.args(FLAGS_FOR_REPLICATION)
                .arg(format!("--server-id={number}"));
        }
        let process = processes.start("server", run)?;
        let let_in = wait_until_let_in(&process, || self.connect());
        let_in.await.map_err(|error| match error.is::<Ended>() {
            true => anyhow!(
                "the server does not start: {error}\n  \
                 If it says that its data is broken, remove {} and start again.",
                self.data.display(),
            ),
            false => error,
        })?;
        file::remove(&accounts)?;
        Ok(process)
    }

    async fn connect(&self) -> Result<Conn, ConnectError> {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        let ca_file = Some(self.certificates.authority.as_path());
        access::connect(&host, port, ca_file, ADMIN, &self.admin_password, None).await
    }
}

async fn make_data(
    program: &ServerProgram,
    folder: &Path,
    data: &Path,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<()> {
    // Written last: it is missing if the data was left half made.
    let made_by = folder.join("data-made-by");
    let identity = program.identity();
    let old = file::read(&made_by).unwrap_or_default();
    if old == identity && data.is_dir() {
        return Ok(());
    }
    if data.is_dir() {
        let other = old.lines().next().filter(|line| !line.is_empty());
        let reason = other.map_or("was left half made".to_owned(), |other| {
            format!("was made by {other}")
        });
        progress.say(&format!(
            "  the data folder {reason}: starting with a fresh one"
        ));
    }
    file::remove(&made_by)?;
    file::remove_folder(data)?;
    initialize::initialize(program, processes, folder, data).await?;
    file::write(&made_by, &identity)
}

/// What the server runs at each start, before it accepts connections: root cannot log in, and the
/// others get new passwords. Each statement has a line of its own. None is replicated.
fn accounts_statements(admin_password: &str, login: Option<&Login>) -> String {
    let mut statements = vec![
        "SET SESSION sql_log_bin = 0".to_owned(),
        format!("CREATE USER IF NOT EXISTS '{ADMIN}'@'%' IDENTIFIED BY '{admin_password}'"),
        format!("ALTER USER '{ADMIN}'@'%' IDENTIFIED BY '{admin_password}'"),
        format!("GRANT ALL ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION"),
        "ALTER USER 'root'@'localhost' ACCOUNT LOCK".to_owned(),
    ];
    if let Some(login) = login {
        statements.extend(login.statements());
        statements.push(login.grant_of_lint());
    }
    statements.join(";\n") + ";\n"
}
