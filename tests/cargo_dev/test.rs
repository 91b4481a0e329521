//! `cargo dev test`: starts what the tests need and runs them.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitStatus;

use tokio::process::Command;

use super::base::Purpose;
use super::{Options, Run};
use crate::stack;
use crate::stack::access::Access;
use crate::stack::file;
use crate::stack::process::command;
use crate::stack::server::PRIVATE_SERVERS;
use crate::stand_ins::control_plane::contract;
use crate::vitess;

/// The number of tests that run at once.
const TEST_THREADS: &str = "RUST_TEST_THREADS";

/// The suites that run with Vitess, where the arguments choose none.
const WITH_VITESS: [&str; 5] = ["api", "pool", "review", "schema_change", "vtgate"];

/// The suites whose tests start clusters of Vitess. They are ignored without `--vitess-cluster`.
const ON_CLUSTERS: [&str; 2] = ["control_plane", "failover"];

/// The tests of those with Vitess that do not, and why. What a name is a part of is left out.
const NOT_WITH_VITESS: [(&str, &str); 7] = [
    ("clock::", "they drive the pool alone"),
    ("generated::", "they take long and are about requests"),
    ("soak::", "their model knows the answers of MySQL"),
    (
        "vitess::",
        "they script the errors of vtgate, which the stand-in does",
    ),
    (
        "every_connection_says_goodbye_to_vtgate",
        "it counts what the stand-in hears",
    ),
    (
        "every_connection_says_goodbye_to_mysql",
        "it reads the log of MySQL, in which Vitess' own connections are",
    ),
    (
        "a_renewed_certificate_is_verified",
        "Vitess keeps the certificate that it has started with",
    ),
];

/// What is left out with two shards beyond that, and why.
const NOT_SHARDED: [(&str, &str); 3] = [
    (
        "statements::",
        "they ask MySQL for its plans and need tables to fill without Vitess",
    ),
    (
        "a_function_waits_for_a_full_transaction_pool",
        "it leaves room for one transaction, and placing an order takes two, one of them for the lookup",
    ),
    (
        "a_function_waits_for_a_tablet_whose_connections_are_all_taken",
        "it takes those of one shard",
    ),
];

/// What the tests read of PlanetScale's settings: neither leads to a database.
const FOR_TESTS: [&str; 2] = [contract::VARIABLE, "PLANETSCALE_GO_REQUIRED"];

impl Run {
    /// Runs the tests, or those that the arguments choose.
    pub(super) async fn tests(
        &self,
        options: &Options,
        arguments: &[OsString],
    ) -> anyhow::Result<ExitStatus> {
        if let Some(given) = &options.existing_database {
            return self.tests_on(given, options, arguments).await;
        }
        for folder in [PRIVATE_SERVERS, vitess::FOLDER] {
            file::remove_folder(&self.folder.join(folder))?;
        }
        let base = self.base(options, Purpose::Testing).await?;
        let mut admin = base.access.connect_as_admin(None).await?;
        stack::remove_leftovers(&mut admin).await?;
        admin.disconnect().await?;

        // What follows another `--` is for the tests themselves.
        let chooses_packages = arguments
            .iter()
            .map(|argument| argument.to_string_lossy())
            .take_while(|argument| argument != "--")
            .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"));
        let mut all = Vec::new();
        if options.vitess && !chooses_packages {
            all.extend(["--package", "tests"].map(OsString::from));
            let suites = WITH_VITESS.into_iter();
            // Deployments to several shards are PlanetScale's.
            for suite in suites.filter(|suite| !options.sharded || *suite != "schema_change") {
                all.extend(["--test", suite].map(OsString::from));
            }
        } else if options.vitess_cluster && !chooses_packages {
            all.extend(["--package", "tests"].map(OsString::from));
            all.extend(
                ON_CLUSTERS
                    .iter()
                    .flat_map(|suite| ["--test", suite].map(OsString::from)),
            );
        } else if !chooses_packages {
            all.push(OsString::from("--workspace"));
        }
        all.extend_from_slice(arguments);
        if options.vitess_cluster {
            if !all.iter().any(|argument| argument == "--") {
                all.push("--".into());
            }
            // A cluster takes about 2 GB, and tests of failovers care about the time.
            all.extend(["--ignored", "--test-threads=1"].map(OsString::from));
        }
        if options.vitess {
            self.leave_out_what_vitess_cannot(options, &mut all);
        }
        let tests = self.cargo_test(&base.access, &all, options.server.as_deref());
        tokio::select! {
            status = tests => status,
            failure = base.a_part_ends() => Err(failure),
        }
    }

    /// Adds to the arguments of `cargo test` what does not run with Vitess, and says why.
    fn leave_out_what_vitess_cannot(&self, options: &Options, arguments: &mut Vec<OsString>) {
        if !arguments.iter().any(|argument| argument == "--") {
            arguments.push("--".into());
        }
        let sharded = NOT_SHARDED.iter().filter(|_| options.sharded);
        for (test, why) in NOT_WITH_VITESS.iter().chain(sharded) {
            arguments.extend(["--skip".into(), (*test).into()]);
            let line = format!("  not run with Vitess: {test}, since {why}");
            self.progress.say(&line);
        }
        self.progress
            .say("  not run with Vitess: the other suites, since they need no database, or MySQL");
    }

    /// Runs `cargo test` on the stack, with this process' own output.
    pub(super) async fn cargo_test(
        &self,
        access: &Access,
        arguments: &[OsString],
        server: Option<&Path>,
    ) -> anyhow::Result<ExitStatus> {
        let mut tests = cargo_test(std::env::vars_os());
        tests
            .args(arguments)
            .env(
                stack::VARIABLE,
                serde_json::to_string(access).unwrap_or_default(),
            )
            // For what reads the process' own environment, as the AWS SDK does.
            .envs(access.secrets_environment());
        if let Some(server) = server {
            tests.env(
                "MYSQLD",
                std::path::absolute(server).as_deref().unwrap_or(server),
            );
        }
        self.progress.say("");
        self.processes.run_visibly("cargo-test", tests).await
    }
}

/// `cargo test` with the settings in `environment` that are for tests.
fn cargo_test(environment: impl Iterator<Item = (OsString, OsString)>) -> Command {
    let mut tests = command("cargo");
    // Tests mostly wait, so there are more of them than cores.
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let kept = environment.filter(|(name, _)| {
        let mut names = FOR_TESTS.into_iter().chain([TEST_THREADS]);
        names.any(|kept| name == kept)
    });
    tests
        .arg("test")
        .current_dir(crate::root())
        .env(TEST_THREADS, (2 * cores).to_string())
        .envs(kept);
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_workflow_sets_reaches_the_tests() {
        let workflow = file::read(&crate::root().join(".github/workflows/ci.yml")).unwrap();
        let mut set: Vec<_> = workflow
            .lines()
            .filter_map(|line| line.trim().split_once(": "))
            .filter(|(name, _)| name.starts_with("PLANETSCALE_"))
            .collect();
        assert!(!set.is_empty());
        set.push((contract::VARIABLE, "openapi.json"));
        set.push((TEST_THREADS, "1"));
        let environment = set.iter().map(|(name, value)| (name.into(), value.into()));
        let tests = cargo_test(environment);
        for (name, value) in &set {
            let mut given = tests.as_std().get_envs();
            let given = given.find(|(given, _)| given == name).unwrap().1;
            assert_eq!(given, Some(value.as_ref()), "{name}");
        }
    }

    #[test]
    fn settings_that_lead_elsewhere_do_not_reach_the_tests() {
        let token = ("PLANETSCALE_SERVICE_TOKEN".into(), "secret".into());
        let tests = cargo_test([token].into_iter());
        let mut given = tests.as_std().get_envs();
        assert!(given.all(|(_, value)| value != Some("secret".as_ref())));
    }
}
