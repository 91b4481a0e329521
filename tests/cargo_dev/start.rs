//! Starts the parts of the stack, and shows how to use it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;

use super::{Options, Run, environment_path, programs, target};
use crate::cargo_dev::environment::EnvironmentFile;
use crate::cargo_dev::migrate;
use crate::cargo_dev::sample::{self, Shown};
use crate::cargo_dev::watch::{self, Front, Functions};
use crate::stack;
use crate::stack::access::{Access, Administration, LINT_SCHEMAS, REGION, TEST_CREDENTIAL};
use crate::stack::file;
use crate::stack::migrations;
use crate::stack::process::{Ended, Program, command};
use crate::stack::secrets::{self, Secrets};
use crate::stack::server::{self, Data, Make, Server};
use crate::stack::tls::{self, Authority, Certificates};
use crate::stack::tools::Tools;
use crate::stand_ins::control_plane::{ControlPlane, DATABASE, ORGANIZATION, ServiceToken};
use crate::stand_ins::step_functions::{self, StepFunctions, lambda};
use crate::vitess::{self, DirectDdl, Vitess};

/// The id of the secret with the database's login.
const SECRET_ID: &str = "orders/database";

/// The id of the secret with the service token of the control plane.
const TOKEN_SECRET_ID: &str = "orders/planetscale";

/// The setting that admits callers that no authorizer has checked.
const ALLOW_UNAUTHENTICATED: &str = "ALLOW_UNAUTHENTICATED";

/// The parts that the functions need, and the built functions.
pub struct Base {
    tools: Tools,
    server: Server,
    /// The certificate of the authority that signed the server's.
    ca_file: PathBuf,
    secrets: Program,
    /// Where they are.
    pub access: Access,
}

/// All of the stack.
pub struct Everything {
    base: Base,
    /// Vitess in front of the server, with `--vitess`.
    vitess: Option<Arc<Vitess>>,
    /// PlanetScale's API.
    pub control_plane: ControlPlane,
    /// The functions.
    pub functions: Functions,
    shown: Shown,
    environment: EnvironmentFile,
    took: Duration,
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

    /// Starts everything.
    pub async fn everything(&self, options: &Options) -> anyhow::Result<Everything> {
        let Self {
            folder,
            processes,
            progress,
            ..
        } = self;
        let front = Front::choose(options.port)?;
        if options.port.is_none() && front.port() != watch::PORT {
            let (taken, port) = (watch::PORT, front.port());
            progress.say(&format!(
                "  another program uses port {taken}: using {port}"
            ));
        }
        let lambda = lambda::Endpoint::start().await?;
        let base = self
            .base(
                options,
                Purpose::Serving {
                    lambda_port: lambda.port(),
                },
            )
            .await?;
        let Base {
            access,
            server,
            tools,
            ..
        } = &base;

        let step = progress.step("filling the database");
        let mut admin = access.connect_as_admin(Some(&server.login.schema)).await?;
        // A `cargo dev lint` that was killed has left its own. No other can know this server yet.
        stack::remove_those(&mut admin, |name| name.starts_with(LINT_SCHEMAS)).await?;
        let migrations_folder = schema::settings::migrations_folder()
            .unwrap_or_else(|| crate::root().join("shared/migrations"));
        let applied = migrations::apply(&mut admin, &migrations_folder).await?;
        let shown = sample::fill(&mut admin).await?;
        admin.disconnect().await?;
        step.done(&format!(
            "database {}, migrations applied: {applied}",
            server.login.schema
        ));

        let vitess = match options.vitess {
            true => Some(Arc::new(self.vitess(&base).await?)),
            false => None,
        };
        let database = vitess
            .as_ref()
            .map_or(access.server, |vitess| vitess.address());
        let secret = server.login.secret(&access.host, database.port());
        let secrets = Secrets::at(&access.secrets_url);
        secrets.create(SECRET_ID, &secret).await?;

        let step = progress.step("starting the control plane");
        let control_plane = ControlPlane::start(access, &server.login.schema).await?;
        control_plane.adopt(&server.login, vitess.clone()).await?;
        let token = control_plane.token().await;
        secrets.create(TOKEN_SECRET_ID, &token.secret()).await?;
        step.done("PlanetScale's API (a stand-in)");

        let mut common = access.environment();
        common.insert(
            "MIGRATIONS_FOLDER".to_owned(),
            migrations_folder.display().to_string(),
        );
        // No authorizer stands before the functions here.
        common.insert(ALLOW_UNAUTHENTICATED.to_owned(), "true".to_owned());
        let mut deployed = control_plane.environment(TOKEN_SECRET_ID);
        deployed.insert("DATABASE_SECRET_ID".to_owned(), SECRET_ID.to_owned());
        let url = front.url();
        let setup = watch::Setup {
            cargo_lambda: tools.cargo_lambda.clone(),
            front: Arc::new(front),
            template: options
                .template
                .clone()
                .unwrap_or_else(|| crate::root().join("template.yaml")),
            common,
            deployed,
            folder: folder.clone(),
        };
        let functions = Functions::start(setup, processes, progress).await?;
        let function = "migrate-schema";
        lambda.serve(function, lambda::behind_watch(&url, function));
        let client = StepFunctions::at(&access.secrets_url);
        client.interpret().await?;
        let definition = step_functions::schema_change(function, 1)?;
        let schema_change = client.create("schema-change", &definition).await?;

        let mut more = control_plane.environment(TOKEN_SECRET_ID);
        more.insert(
            migrate::STATE_MACHINE.to_owned(),
            schema_change.arn().to_owned(),
        );
        let database_url = server.login.url(&access.host, database.port());
        let environment = self.write_environment(&base, &database_url, &url, &more, &token)?;
        Ok(Everything {
            base,
            vitess,
            control_plane,
            functions,
            shown,
            environment,
            took: self.began.elapsed(),
        })
    }

    /// Serves calls until a part ends, which none should, and returns the error.
    pub async fn serve(&self, everything: Everything) -> anyhow::Error {
        let Everything {
            base,
            vitess,
            control_plane,
            mut functions,
            // It is there as long as everything is up.
            environment: _environment,
            ..
        } = everything;
        let front = Arc::clone(functions.front());
        let vitess_ends = async {
            match &vitess {
                Some(vitess) => vitess.ended().await,
                None => std::future::pending().await,
            }
        };
        let deployments = async {
            control_plane.keep_moving().await;
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            failure = base.a_part_ends() => failure,
            failure = vitess_ends => failure,
            failure = functions.serve(&self.processes, &self.progress) => failure,
            never = front.pass_on() => match never {},
            never = deployments => match never {},
        }
    }

    /// Starts Vitess before the server, for the user of the functions.
    async fn vitess(&self, base: &Base) -> anyhow::Result<Vitess> {
        let step = self.progress.step("starting Vitess");
        let login = &base.server.login;
        let vitess = Vitess::start(
            &base.access,
            &login.schema,
            login.clone(),
            DirectDdl::Refused,
            false,
        )
        .await?;
        vitess
            .set_password(&login.username, &login.password)
            .await?;
        step.done(&format!("Vitess, port {}", vitess.address().port()));
        Ok(vitess)
    }

    fn write_environment(
        &self,
        base: &Base,
        database_url: &str,
        api_url: &str,
        more: &BTreeMap<String, String>,
        token: &ServiceToken,
    ) -> anyhow::Result<EnvironmentFile> {
        let ca_file = base.ca_file.display().to_string();
        let variables = [
            ("API_URL", api_url),
            ("DATABASE_URL", database_url),
            ("DATABASE_SECRET_ID", SECRET_ID),
            ("DATABASE_CA_FILE", &ca_file),
            (ALLOW_UNAUTHENTICATED, "true"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &base.access.secrets_url),
            (migrate::STEP_FUNCTIONS_URL, &base.access.secrets_url),
            ("AWS_ACCESS_KEY_ID", TEST_CREDENTIAL),
            ("AWS_SECRET_ACCESS_KEY", TEST_CREDENTIAL),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            // The name that pscale has for the organization, and the token that it reads.
            ("PLANETSCALE_ORG", ORGANIZATION),
            ("PLANETSCALE_SERVICE_TOKEN_ID", &token.id),
            ("PLANETSCALE_SERVICE_TOKEN", &token.token),
        ];
        let more = more.iter();
        let more = more.map(|(name, value)| (name.as_str(), value.as_str()));
        let variables = variables.into_iter().chain(more);
        EnvironmentFile::write(environment_path(&self.folder), variables)
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

impl Everything {
    /// Shows what can be done now.
    pub fn describe(&self) {
        let front = self.functions.front();
        let url = front.url();
        let Shown { order, customer } = &self.shown;
        let login = &self.base.server.login;
        let server = self.vitess.as_ref();
        let server = server.map_or(self.base.access.server, |vitess| vitess.address());
        let json = "-H 'content-type: application/json'";
        let text = format!(
            r#"
  Everything is up after {took:.1} s. Try it:

    curl '{url}/health?ready'
    curl {url}/orders/{order}
    curl '{url}/customers/{customer}/orders?limit=3'
    curl {url}/orders {json} -d '{{"customer_id": "{customer}", "currency": "EUR", "items": [{{"sku": "TEA-1", "quantity": 2, "unit_price": "4.50"}}]}}'
    curl -X PATCH {url}/orders/{order} {json} -H 'if-match: "1"' -d '{{"status": "paid"}}'
    {invoke} health --data-ascii '{{"version": "2.0", "rawPath": "/health", "requestContext": {{"http": {{"method": "GET", "path": "/health"}}}}}}'

  The database:         mysql --host={host} --port={port} --user={user} --password={password} --ssl-ca='{ca}' {schema}
  PlanetScale's tools:  (set -a; . {environment}; PSCALE_NO_UPDATE_NOTIFIER=1 pscale branch list {database})
  A new migration:      cargo dev migrate
  A backup, restored:   cargo dev restore
  The queries' review:  cargo dev review
  A new password:       cargo dev rotate
  For other tools:      {environment}
  Your changes:         are served at the next call, those of template.yaml too
  To stop:              Ctrl-C
"#,
            took = self.took.as_secs_f32(),
            invoke = front.invoke_command(&self.base.tools.cargo_lambda),
            host = server.ip(),
            port = server.port(),
            user = login.username,
            password = login.password,
            ca = self.base.ca_file.display(),
            schema = login.schema,
            database = DATABASE,
            environment = self.environment.path().display(),
        );
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}
