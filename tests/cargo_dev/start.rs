//! Starts all of the stack, and shows how to use it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::base::{Base, Purpose};
use super::{Options, Run, environment_path};
use crate::cargo_dev::environment::EnvironmentFile;
use crate::cargo_dev::migrate;
use crate::cargo_dev::sample::{self, Shown};
use crate::cargo_dev::watch::{self, Front, Functions};
use crate::stack;
use crate::stack::access::{LINT_SCHEMAS, REGION, TEST_CREDENTIAL};
use crate::stack::migrations;
use crate::stack::secrets::Secrets;
use crate::stand_ins::control_plane::{ControlPlane, DATABASE, ORGANIZATION, ServiceToken};
use crate::stand_ins::step_functions::{self, StepFunctions, lambda};
use crate::vitess::{DirectDdl, Vitess};

/// The id of the secret with the database's login.
const SECRET_ID: &str = "orders/database";

/// The id of the secret with the service token of the control plane.
const TOKEN_SECRET_ID: &str = "orders/planetscale";

/// The setting that admits callers that no authorizer has checked.
const ALLOW_UNAUTHENTICATED: &str = "ALLOW_UNAUTHENTICATED";

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

impl Run {
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
