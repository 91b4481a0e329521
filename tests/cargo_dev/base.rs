//! Starts what the functions need, a database server and a Secrets Manager, and builds the functions.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::{Options, Run, programs, target};
use crate::stack::access::{Access, Administration};
use crate::stack::file;
use crate::stack::process::{Ended, Program, command};
use crate::stack::secrets;
use crate::stack::server::{self, Data, Make, Server};
use crate::stack::tls::{self, Authority, Certificates};
use crate::stack::tools::Tools;
use crate::vitess;

/// The parts that the functions need, and the built functions.
pub struct Base {
    pub tools: Tools,
    pub server: Server,
    /// The certificate of the authority that signed the server's.
    pub ca_file: PathBuf,
    secrets: Program,
    /// Where they are.
    pub access: Access,
}

/// The reason for which the stack is started.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// To answer calls. State machines call the functions at the port.
    Serving {
        /// The port.
        lambda_port: u16,
    },
    /// To run tests.
    Testing,
}

impl Purpose {
    fn lambda_port(self) -> Option<u16> {
        match self {
            Self::Serving { lambda_port } => Some(lambda_port),
            Self::Testing => None,
        }
    }

    fn data(self) -> Data {
        match self {
            Self::Serving { .. } => Data::Kept,
            Self::Testing => Data::Discarded,
        }
    }

    /// Examples to build. With an example, dependencies get other features than without, and `cargo
    /// lambda watch`, which builds no example, would compile them again at the first call.
    fn examples(self) -> &'static [&'static str] {
        match self {
            Self::Serving { .. } => &[],
            Self::Testing => &["--example", "misbehaving"],
        }
    }
}

impl Run {
    /// Starts the server and the Secrets Manager while the functions are built.
    pub async fn base(&self, options: &Options, purpose: Purpose) -> anyhow::Result<Base> {
        let Self {
            folder,
            processes,
            progress,
            ..
        } = self;
        let vitess = match options.vitess {
            true => Some(vitess::build(&target(), processes, progress).await?),
            false => None,
        };
        let cluster = match options.vitess_cluster {
            true => Some(vitess::build_cluster(&target(), processes, progress).await?),
            false => None,
        };
        let certificates = Certificates::by(&Authority::new()?, &folder.join(tls::FOLDER))?;
        let server = async {
            let program = server::find(options.server.as_deref(), processes, progress).await?;
            if (vitess.is_some() || cluster.is_some()) && program.make != Make::MySql {
                bail!(
                    "Vitess takes MySQL, and the server is MariaDB: name a mysqld with --server PATH"
                );
            }
            server::start(
                &program,
                purpose.data(),
                options.vitess,
                &certificates,
                folder,
                processes,
                progress,
            )
            .await
        };
        let secrets = async {
            let tools = Tools::find(&target(), processes, progress).await?;
            let step = progress.step("starting the Secrets Manager");
            let (process, url) =
                secrets::start(&tools.moto_server, purpose.lambda_port(), processes).await?;
            step.done("Secrets Manager (moto)");
            anyhow::Ok((tools, process, url))
        };
        let (server, (tools, secrets, secrets_url), ()) =
            tokio::try_join!(server, secrets, self.build(options, purpose))?;
        let access = Access {
            folder: folder.clone(),
            vitess,
            cluster,
            sharded: options.sharded,
            host: server.address.ip().to_string(),
            server: server.address,
            ca_file: Some(certificates.authority.clone()),
            administration: Some(Administration {
                program: server.program.clone(),
                password: server.admin_password.clone(),
                certificates: certificates.clone(),
            }),
            existing_database: None,
            secrets_url,
            programs: programs(options),
            moto_server: tools.moto_server.clone(),
        };
        Ok(Base {
            tools,
            server,
            ca_file: certificates.authority,
            secrets,
            access,
        })
    }

    /// Builds the functions, and for tests also the function that only they have.
    pub(super) async fn build(&self, options: &Options, purpose: Purpose) -> anyhow::Result<()> {
        let release = options.release.then_some("--release");
        let targets = ["--workspace", "--bins"].into_iter();
        let arguments = targets.chain(purpose.examples().iter().copied());
        self.cargo_build(crate::root(), arguments.chain(release))
            .await
    }

    /// Runs `cargo build` in a checkout.
    pub(super) async fn cargo_build(
        &self,
        checkout: &Path,
        arguments: impl IntoIterator<Item = &str>,
    ) -> anyhow::Result<()> {
        let mut step = self.progress.step("building the functions");
        step.follow(self.processes.log("cargo-build"));
        let mut build = command("cargo");
        build.arg("build").args(arguments).current_dir(checkout);
        match self.processes.run("cargo-build", build).await {
            Ok(()) => {
                step.done("functions built");
                Ok(())
            }
            Err(error) if error.is::<Ended>() => {
                let log = file::read(&self.processes.log("cargo-build"))?;
                bail!("the functions can't be built:\n{log}")
            }
            Err(error) => Err(error),
        }
    }
}

impl Base {
    /// Waits until a part ends, which none should, and returns the error.
    pub async fn a_part_ends(&self) -> anyhow::Error {
        tokio::select! {
            status = self.server.process.ended() => self.server.process.failure(status),
            status = self.secrets.ended() => self.secrets.failure(status),
        }
    }
}
