//! A server for one test, which may stop it or change its certificate.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::find::Make;
use super::{DATA, InMemory, Site, accounts_statements, initialize};
use crate::stack::Stack;
use crate::stack::access::{Access, Administration, ConnectError, Login, random_password};
use crate::stack::file;
use crate::stack::process::{Processes, Program, free_port};
use crate::stack::tls::{Authority, Certificates, THIS_MACHINE};

/// Its folders are below this one, in the stack's folder.
pub const FOLDER: &str = "servers";

/// A second server like the stack's. It is removed with its data when the value is dropped.
pub struct PrivateServer {
    site: Site,
    stack: Stack,
    authority: Arc<Authority>,
    processes: Processes,
    running: Option<(Program, Conn)>,
}

/// What the servers that replicate each other have in common.
#[derive(Clone)]
pub(crate) struct Replicas {
    pub authority: Arc<Authority>,
    pub admin_password: String,
    /// A user, and the schema that is replicated.
    pub login: Login,
}

impl PrivateServer {
    /// Starts the stack's server program on fresh data.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn start(stack: &Stack) -> anyhow::Result<Self> {
        let authority = Arc::new(Authority::new()?);
        Self::start_as(stack, authority, random_password(), None).await
    }

    /// Starts one, which must be MySQL, that can replicate the others or be replicated by them. None
    /// of them has the same `number`, which is not 0.
    pub(crate) async fn start_replica(
        stack: &Stack,
        replicas: Replicas,
        number: usize,
    ) -> anyhow::Result<Self> {
        let Replicas {
            authority,
            admin_password,
            login,
        } = replicas;
        Self::start_as(stack, authority, admin_password, Some((number, login))).await
    }

    async fn start_as(
        stack: &Stack,
        authority: Arc<Authority>,
        admin_password: String,
        replica: Option<(usize, Login)>,
    ) -> anyhow::Result<Self> {
        let access = stack.access();
        let name = uuid::Uuid::new_v4().simple().to_string();
        let folder = access.folder.join(FOLDER).join(&name);
        let login = replica.as_ref().map(|(_, login)| login);
        let accounts = accounts_statements(&admin_password, login);
        let administration = access.administration.as_ref();
        let Administration { program, .. } = administration.ok_or(ConnectError::NotAdministered)?;
        let processes = Processes::of_part(&access.folder, &name, &folder)?;
        // The stack's own server runs on a copy of these data as long as there is one.
        let fresh = access.folder.join(DATA);
        let data = match InMemory::part_of(&access.folder, &name) {
            Some(memory) if memory.fill(&fresh).await? => {
                let data = memory.data();
                processes.hold(memory);
                data
            }
            _ => {
                let data = folder.join(DATA);
                initialize::initialize(program, &processes, &folder, &data).await?;
                data
            }
        };
        if replica.is_some() {
            // With the identity of another server it would not replicate that.
            file::remove(&data.join("auto.cnf"))?;
        }
        let site = Site {
            program: program.clone(),
            for_vitess: access.vitess.is_some() || replica.is_some(),
            replica: replica.map(|(number, _)| number),
            certificates: Certificates::by(&authority, &folder.join("tls"))?,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)),
            accounts,
            admin_password,
            folder,
            data,
        };
        let stack = stack.with_server(Access {
            server: site.address,
            ca_file: Some(site.certificates.authority.clone()),
            administration: Some(Administration {
                program: site.program.clone(),
                password: site.admin_password.clone(),
                certificates: site.certificates.clone(),
            }),
            ..access.clone()
        });
        let mut server = Self {
            processes,
            site,
            stack,
            authority,
            running: None,
        };
        server.start_again().await?;
        Ok(server)
    }

    /// The stack, with this server instead of its own.
    #[must_use]
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Stops the server in an orderly way, as an operator does.
    pub async fn stop(&mut self) {
        if let Some((program, _)) = self.running.take() {
            self.processes.stop(&program).await;
        }
    }

    /// Kills the server, which has no time to end its connections.
    pub async fn crash(&mut self) {
        self.processes.kill_all();
        self.stop().await;
    }

    /// Starts a stopped server with its port and data, and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let program = self.site.start(&self.processes).await?;
        // Kept open: no new one can be made while the certificate is for another host.
        let admin = self.stack.access().connect_as_admin(None).await?;
        self.running = Some((program, admin));
        Ok(())
    }

    /// Gives the server another certificate of the same authority, for new connections.
    ///
    /// # Errors
    ///
    /// The server refuses it.
    pub async fn renew_certificate(&mut self) -> anyhow::Result<()> {
        self.present_certificate_for(&THIS_MACHINE).await
    }

    /// Gives the server a certificate for these hosts, for new connections.
    ///
    /// # Errors
    ///
    /// The server refuses it.
    pub async fn present_certificate_for(&mut self, hosts: &[&str]) -> anyhow::Result<()> {
        self.site.certificates.renew(&self.authority, hosts)?;
        let reload = match self.site.program.make {
            Make::MySql => "ALTER INSTANCE RELOAD TLS",
            Make::MariaDb => "FLUSH SSL",
        };
        if let Some((_, admin)) = &mut self.running {
            admin.query_drop(reload).await?;
        }
        Ok(())
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        // A container is not among the processes that are killed.
        self.site.program.remove_container(&self.site.folder);
        self.processes.kill_all();
        // The next run removes what this one can't.
        let _ = file::remove_folder(&self.site.folder);
    }
}
