//! A cluster of Vitess, whose parts are processes of their own: etcd, vtctld, vtgate, and three
//! vttablets, each with a MySQL server. It does what vtcombo cannot: failovers and online DDL.
//!
//! A commit is acknowledged once a second server has it (the durability policy `semi_sync`), as on
//! PlanetScale. With three tablets, one may die: the others can still commit.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use nix::sys::signal::Signal;
use tokio::process::Command;

use super::program;
use super::{
    FOLDER, PATIENCE, credentials_json, find_mysql, grant_to_tablets, take_clients, users_json,
};
use crate::stack::access::{
    self, ADMIN, Access, ConnectError, Login, random_password, wait_until_let_in,
};
use crate::stack::process::{Processes, Program, command, free_port};
use crate::stack::server::{PrivateServer, Replicas};
use crate::stack::tls::{Authority, Certificates};
use crate::stack::{FreshDatabase, Stack, file, migrations};

/// The cell that everything is in.
const CELL: &str = "local";

/// The keyspace, which has one shard.
const KEYSPACE: &str = "orders";

/// A cluster with the project's tables. It is gone when this is dropped.
pub struct Cluster {
    /// The stack, with vtgate for a database that is there already.
    stack: Stack,
    /// The folder of Vitess' programs.
    programs: PathBuf,
    folder: PathBuf,
    replicas: Replicas,
    /// vtgate's.
    certificates: Certificates,
    etcd: SocketAddr,
    vtctld: SocketAddr,
    tablets: Vec<Tablet>,
    primary: usize,
    processes: Processes,
}

struct Tablet {
    server: PrivateServer,
    address: SocketAddr,
    running: Option<Program>,
    /// Whether it is the primary, or its server replicates the primary's.
    replicates: bool,
}

impl Cluster {
    /// Starts one, and waits until its vtgate takes connections. The first tablet is the primary.
    pub async fn start(stack: &Stack) -> anyhow::Result<Self> {
        let access = stack.access();
        let programs = access.cluster.clone().context(
            "this takes a cluster of Vitess: start the tests with `cargo dev test --vitess-cluster`",
        )?;
        let name = format!("cluster-{}", uuid::Uuid::new_v4().simple());
        let folder = access.folder.join(FOLDER).join(&name);
        let authority = Arc::new(Authority::new()?);
        let replicas = Replicas {
            authority: Arc::clone(&authority),
            admin_password: random_password(),
            login: Login::new("app", KEYSPACE),
        };
        let certificates = Certificates::by(&authority, &folder.join("tls"))?;
        let server = |number| PrivateServer::start_replica(stack, replicas.clone(), number);
        let (first, second, third) = tokio::try_join!(server(1), server(2), server(3))?;
        let tablet = |server| {
            anyhow::Ok(Tablet {
                server,
                address: free_address()?,
                running: None,
                replicates: true,
            })
        };
        let tablets = [first, second, third].map(tablet).into_iter();
        let vtgate = free_address()?;
        let mut cluster = Self {
            stack: stack.with_server(Access {
                host: vtgate.ip().to_string(),
                server: vtgate,
                ca_file: Some(certificates.authority.clone()),
                administration: None,
                existing_database: Some(replicas.login.clone()),
                ..access.clone()
            }),
            programs,
            processes: Processes::of_part(&access.folder, &name, &folder)?,
            folder,
            replicas,
            certificates,
            etcd: free_address()?,
            vtctld: free_address()?,
            tablets: tablets.collect::<Result<_, _>>()?,
            primary: 0,
        };
        cluster.start_topology().await?;
        for number in 0..cluster.tablets.len() {
            cluster.prepare_server(number).await?;
            cluster.start_tablet(number).await?;
        }
        let began = Instant::now();
        // A tablet that listens may not be known to vtctld for a moment.
        while let Err(error) = cluster.reparent(0).await {
            if began.elapsed() > PATIENCE {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        cluster.start_vtgate(vtgate).await?;
        let mut admin = cluster.connect_as_admin().await?;
        migrations::apply(&mut admin, &crate::root().join("shared/migrations")).await?;
        admin.disconnect().await?;
        Ok(cluster)
    }

    async fn start_topology(&self) -> anyhow::Result<()> {
        let clients = format!("http://{}", self.etcd);
        let peers = format!("http://{}", free_address()?);
        // Go names etcd's program after its package's folder.
        let mut etcd = command(self.programs.join("server"));
        etcd.args(["--name", CELL, "--log-level", "error", "--data-dir"])
            .arg(self.folder.join("etcd"))
            .args(["--listen-client-urls", &clients])
            .args(["--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers])
            .args(["--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("{CELL}={peers}")]);
        self.processes
            .start("etcd", etcd)?
            .listens(self.etcd)
            .await?;
        let mut vtctld = self.program("vtctld");
        serve_grpc(&mut vtctld, self.vtctld, "grpc-vtctld");
        let vtctld = self.processes.start("vtctld", vtctld)?;
        vtctld.listens(self.vtctld).await?;
        let etcd = self.etcd.to_string();
        self.control(&[
            "AddCellInfo",
            "--root",
            "/local",
            "--server-address",
            &etcd,
            CELL,
        ])
        .await?;
        self.control(&[
            "CreateKeyspace",
            "--durability-policy",
            "semi_sync",
            KEYSPACE,
        ])
        .await?;
        Ok(())
    }

    /// Gives the tablet's user on a server what tablets need.
    async fn prepare_server(&self, number: usize) -> anyhow::Result<()> {
        let mut admin = self.tablet(number)?.server.stack().admin().await?;
        // The servers have no history in common that began before they replicated each other.
        admin.query_drop("SET SESSION sql_log_bin = 0").await?;
        grant_to_tablets(&mut admin, &self.replicas.login.username).await?;
        Ok(admin.disconnect().await?)
    }

    /// Starts a tablet before its server, as a replica, or again as what it was.
    pub async fn start_tablet(&mut self, number: usize) -> anyhow::Result<()> {
        let Replicas {
            login,
            admin_password,
            ..
        } = &self.replicas;
        let tablet = self.tablet(number)?;
        let server = tablet.server.stack().access();
        let folder = self.folder.join(format!("tablet-{number}"));
        file::create_folder(&folder)?;
        let credentials = folder.join("credentials.json");
        file::write(&credentials, &credentials_json(admin_password, login))?;
        let mut run = self.program("vttablet");
        serve_grpc(
            &mut run,
            tablet.address,
            "grpc-queryservice,grpc-tabletmanager,grpc-updatestream",
        );
        run.env("VTDATAROOT", &folder)
            .args(["--tablet-path", &alias(number)])
            .args(["--init-keyspace", KEYSPACE, "--init-shard", "0"])
            .args(["--init-tablet-type", "replica"])
            .args(["--init-db-name-override", &login.schema])
            .args(["--migration-check-interval", "500ms"]);
        let (mysql, certificates) = (server.server, &self.certificates);
        find_mysql(&mut run, mysql, certificates, &credentials, &login.username);
        let program = self.processes.start(&format!("vttablet-{number}"), run)?;
        program.listens(tablet.address).await?;
        self.tablets
            .get_mut(number)
            .context("there is no such tablet")?
            .running = Some(program);
        Ok(())
    }

    async fn start_vtgate(&self, address: SocketAddr) -> anyhow::Result<()> {
        let Replicas {
            login,
            admin_password,
            ..
        } = &self.replicas;
        let users = [
            (ADMIN.to_owned(), admin_password.clone()),
            (login.username.clone(), login.password.clone()),
        ];
        let users_file = self.folder.join("users.json");
        file::write(&users_file, &users_json(&users.into()))?;
        let mut run = self.program("vtgate");
        run.args(["--cell", CELL, "--cells-to-watch", CELL])
            .arg("--mysql-auth-server-static-file")
            .arg(&users_file)
            .arg("--enable-buffer");
        take_clients(&mut run, address, &self.certificates);
        let program = self.processes.start("vtgate", run)?;
        wait_until_let_in(&program, || self.connect_as_admin()).await
    }

    /// One of Vitess' programs, with what all of them need.
    fn program(&self, name: &str) -> Command {
        let mut program = program::run(&self.programs.join(name));
        program
            .env("VTDATAROOT", &self.folder)
            .args(["--topo-implementation", "etcd2"])
            .arg(format!("--topo-global-server-address={}", self.etcd))
            .args(["--topo-global-root", "/global"])
            .args(["--bind-address", "127.0.0.1"]);
        program
    }

    /// Has vtctld do something, as an operator does.
    pub async fn control(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut client = command(self.programs.join("vtctldclient"));
        client
            .arg(format!("--server={}", self.vtctld))
            .args(arguments);
        self.processes.run("vtctldclient", client).await
    }

    /// The position of the primary among the tablets.
    #[must_use]
    pub fn primary(&self) -> usize {
        self.primary
    }

    /// The position of another tablet than the primary.
    #[must_use]
    pub fn replica(&self) -> usize {
        (self.primary + 1) % self.tablets.len()
    }

    /// Makes a tablet the primary, while all of them are well.
    pub async fn reparent(&mut self, number: usize) -> anyhow::Result<()> {
        self.make_primary("PlannedReparentShard", number).await
    }

    /// Makes a tablet the primary, though the primary may be dead. The one that was it stays aside: on
    /// PlanetScale something brings it back, which does not run here.
    pub async fn reparent_in_an_emergency(&mut self, number: usize) -> anyhow::Result<()> {
        if let Some(tablet) = self.tablets.get_mut(self.primary) {
            tablet.replicates = false;
        }
        self.make_primary("EmergencyReparentShard", number).await
    }

    async fn make_primary(&mut self, how: &str, number: usize) -> anyhow::Result<()> {
        let (shard, alias) = (format!("{KEYSPACE}/0"), alias(number));
        self.control(&[how, "--new-primary", &alias, &shard])
            .await?;
        self.primary = number;
        Ok(())
    }

    /// Kills a tablet. Its server stays.
    pub async fn kill_tablet(&mut self, number: usize) {
        let tablet = self.tablets.get_mut(number);
        if let Some(program) = tablet.and_then(|tablet| tablet.running.take()) {
            program.signal(Signal::SIGKILL);
            self.processes.stop(&program).await;
        }
    }

    /// Kills a tablet with its server, as a machine that dies does.
    pub async fn kill_machine(&mut self, number: usize) {
        if let Some(tablet) = self.tablets.get_mut(number) {
            tablet.server.crash().await;
        }
        self.kill_tablet(number).await;
    }

    fn tablet(&self, number: usize) -> anyhow::Result<&Tablet> {
        self.tablets.get(number).context("there is no such tablet")
    }

    /// The primary, and the tablets whose servers have what its server has, or will soon.
    pub fn replicating(&self) -> impl Iterator<Item = usize> {
        let tablets = self.tablets.iter().enumerate();
        tablets
            .filter(|(_, tablet)| tablet.replicates)
            .map(|(number, _)| number)
    }

    /// The database that clients see, whose address is vtgate's.
    pub async fn database(&self) -> anyhow::Result<FreshDatabase> {
        let database = self.stack.existing_database().await?;
        database.context("the cluster has no database")
    }

    /// The stack, with vtgate in place of its server.
    #[must_use]
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The stack, with the primary's server in place of its own.
    pub fn primary_stack(&self) -> anyhow::Result<&Stack> {
        Ok(self.tablet(self.primary)?.server.stack())
    }

    /// The schema of the keyspace on the primary's server, past Vitess.
    pub fn primary_database(&self) -> anyhow::Result<FreshDatabase> {
        let login = self.replicas.login.clone();
        Ok(FreshDatabase::new(self.primary_stack()?, login, ""))
    }

    /// A connection to vtgate as the administrator.
    pub async fn connect_as_admin(&self) -> Result<Conn, ConnectError> {
        let Access {
            host,
            server,
            ca_file,
            ..
        } = self.stack.access();
        let password = &self.replicas.admin_password;
        let ca_file = ca_file.as_deref();
        access::connect(
            host,
            server.port(),
            ca_file,
            ADMIN,
            password,
            Some(KEYSPACE),
        )
        .await
    }

    /// A connection to the server of a tablet as its administrator.
    pub async fn connect_to_server(&self, number: usize) -> anyhow::Result<Conn> {
        let access = self.tablet(number)?.server.stack().access();
        Ok(access
            .connect_as_admin(Some(&self.replicas.login.schema))
            .await?)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.processes.kill_all();
        // The next run removes what this can't.
        let _ = file::remove_folder(&self.folder);
    }
}

/// A tablet's name in the topology.
fn alias(number: usize) -> String {
    format!("{CELL}-{}", number + 1)
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)))
}

/// Has a program serve gRPC at the address.
fn serve_grpc(program: &mut Command, address: SocketAddr, services: &str) {
    program
        .args(["--grpc-bind-address", "127.0.0.1"])
        .arg(format!("--grpc-port={}", address.port()))
        .args(["--service-map", services]);
}
