//! `cargo dev restore`: the newest backup becomes a branch, and the rows of each table are counted in
//! both, on the stack that `cargo dev` runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use axum::http::Method;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use crate::cargo_dev::running::RunningStack;
use crate::stack::access;
use crate::stack::progress::{Progress, print};
use crate::stand_ins::control_plane::{ApiClient, BRANCH, DATABASE, ServiceToken};

/// What the function is called with, as the defaults of `template.yaml` are.
const POLICY: &str = r#"{"max_age_hours": 26, "retention": "7 days"}"#;

/// How long a backup or a branch may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The pause between two looks at a backup or a branch.
const GLANCE: Duration = Duration::from_millis(100);

/// A branch that was created from a backup.
#[derive(Debug)]
pub struct Restored {
    /// The branch's name.
    pub branch: String,
    /// The command that connects to it.
    pub connect: String,
    /// The rows of each table in production and in the branch; none where it is missing.
    pub tables: BTreeMap<String, [Option<u64>; 2]>,
}

/// Lets `back-up-database` see to the backups of the stack in this folder, or else in `target/dev`,
/// restores the newest, and shows the rows.
pub async fn run(folder: Option<&Path>) -> anyhow::Result<()> {
    let stack = RunningStack::find(folder)?;
    let progress = Progress::new();

    let step = progress.step("calling back-up-database");
    let policy = serde_json::from_str(POLICY)?;
    let report = stack.call("back-up-database", policy).await?;
    step.done(&format!("back-up-database: {}", text(&report, "/status")));

    let step = progress.step("restoring the newest backup into a branch");
    let restored = restore(&stack.variables).await?;
    let Restored {
        branch, connect, ..
    } = &restored;
    step.done(&format!("the newest backup is the branch {branch}"));
    print(&restored.comparison()?);
    print(&format!(
        r#"
  Look into it:  {connect}
  Delete it:     (set -a; . '{variables}'; curl --fail-with-body -X DELETE -H "Authorization: $PLANETSCALE_SERVICE_TOKEN_ID:$PLANETSCALE_SERVICE_TOKEN" "$PLANETSCALE_API_URL/v1/organizations/$PLANETSCALE_ORG/databases/{DATABASE}/branches/{branch}")
"#,
        variables = stack.file.display(),
    ));
    Ok(())
}

/// Creates a branch from the newest backup of production, waiting for one that is under way. The
/// variables are those of the environment file.
pub async fn restore(environment: &BTreeMap<String, String>) -> anyhow::Result<Restored> {
    let value = |name: &str| environment.get(name).map_or("", String::as_str);
    let token = ServiceToken {
        id: value("PLANETSCALE_SERVICE_TOKEN_ID").to_owned(),
        token: value("PLANETSCALE_SERVICE_TOKEN").to_owned(),
    };
    let api = ApiClient::new(value("PLANETSCALE_API_URL"), &token);

    let backups = format!("/branches/{BRANCH}/backups?per_page=100");
    let ended = |list: &Value| {
        let mut states = elements(list).map(|backup| text(backup, "/state"));
        states.all(|state| !matches!(state, "pending" | "running"))
    };
    let list = wait(&api, &backups, ended).await?;
    let newest = elements(&list)
        .filter(|backup| text(backup, "/state") == "success")
        .max_by_key(|backup| text(backup, "/created_at"));
    let backup = text(newest.context("there is no successful backup")?, "/id");

    let branch = format!("restore-{}", uuid::Uuid::now_v7().simple());
    let new = json!({ "name": branch, "backup_id": backup, "cluster_size": "PS_10" });
    call(&api, Method::POST, "/branches", Some(&new)).await?;
    let path = format!("/branches/{branch}");
    let ready = |branch: &Value| branch.pointer("/ready") == Some(&Value::Bool(true));
    wait(&api, &path, ready).await?;
    let reader = json!({ "name": "restore", "role": "reader" });
    let passwords = format!("{path}/passwords");
    let login = call(&api, Method::POST, &passwords, Some(&reader)).await?;

    let ca_file = value("DATABASE_CA_FILE");
    let production = Opts::from_url(value("DATABASE_URL"))?;
    let (user, password) = (text(&login, "/username"), text(&login, "/plain_text"));
    let (host, port) = text(&login, "/access_host_url")
        .rsplit_once(':')
        .context("the branch has no address")?;
    let mut connections = [
        access::connect(
            production.ip_or_hostname(),
            production.tcp_port(),
            Some(ca_file.as_ref()),
            production.user().unwrap_or_default(),
            production.pass().unwrap_or_default(),
            production.db_name(),
        )
        .await?,
        access::connect(
            host,
            port.parse()?,
            Some(ca_file.as_ref()),
            user,
            password,
            Some(DATABASE),
        )
        .await?,
    ];
    let mut tables: BTreeMap<String, [Option<u64>; 2]> = BTreeMap::new();
    for (at, connection) in connections.iter_mut().enumerate() {
        for (table, rows) in rows(connection).await? {
            if let Some(counted) = tables.entry(table).or_default().get_mut(at) {
                *counted = Some(rows);
            }
        }
    }
    let connect = format!(
        "mysql --host={host} --port={port} --user={user} --password={password} --ssl-ca='{ca_file}' {DATABASE}"
    );
    Ok(Restored {
        branch,
        connect,
        tables,
    })
}

impl Restored {
    /// Both counts of each table, and what they mean.
    ///
    /// # Errors
    ///
    /// Tables that have rows in production are missing or empty in the branch.
    pub fn comparison(&self) -> anyhow::Result<String> {
        let mut lines = vec![format!(
            "\n  {:32} {:>12} {:>12}",
            "table", "production", "restored"
        )];
        let mut lost = BTreeSet::new();
        for (table, counts @ [production, restored]) in &self.tables {
            let [left, right] =
                counts.map(|rows| rows.map_or("-".to_owned(), |rows| rows.to_string()));
            lines.push(format!("  {table:32} {left:>12} {right:>12}"));
            if production.unwrap_or(0) > 0 && restored.unwrap_or(0) == 0 {
                lost.insert(table.as_str());
            }
        }
        let lines = lines.join("\n");
        if !lost.is_empty() {
            let lost = lost.into_iter().collect::<Vec<_>>().join(", ");
            bail!("{lines}\n\n  The backup has no rows of {lost}.");
        }
        let equal = self
            .tables
            .values()
            .all(|[production, restored]| production == restored);
        let meaning = match equal {
            true => "The backup has as many rows of each table as production.",
            false => {
                "Production was written to after the backup, which the difference should explain."
            }
        };
        Ok(format!("{lines}\n\n  {meaning}"))
    }
}

/// How many rows each table has.
async fn rows(connection: &mut Conn) -> anyhow::Result<Vec<(String, u64)>> {
    let tables: Vec<String> = connection
        .query(
            "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
        )
        .await?;
    let mut counted = Vec::new();
    // Vitess keeps tables of its own for a while.
    for table in tables
        .into_iter()
        .filter(|table| !table.starts_with("_vt_"))
    {
        let rows = connection.query_first(format!("SELECT COUNT(*) FROM `{table}`"));
        counted.push((table.clone(), rows.await?.unwrap_or_default()));
    }
    Ok(counted)
}

/// Reads again and again until the answer is as wanted.
async fn wait(
    api: &ApiClient,
    path: &str,
    wanted: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let limit = Instant::now() + PATIENCE;
    loop {
        let answer = call(api, Method::GET, path, None).await?;
        if wanted(&answer) {
            return Ok(answer);
        }
        ensure!(Instant::now() < limit, "{path} takes too long: {answer}");
        tokio::time::sleep(GLANCE).await;
    }
}

async fn call(
    api: &ApiClient,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let (status, answer) = api.send(method.clone(), path, body).await?;
    ensure!(
        status < 300,
        "{method} {path}: {status} {}",
        text(&answer, "/message")
    );
    Ok(answer)
}

fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.get("data")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_a_backup_lacks_are_named() {
        let compared = |orders, items| {
            let counts = [("orders", orders), ("order_items", items)];
            let tables = counts.map(|(table, counts)| (table.to_owned(), counts));
            let restored = Restored {
                branch: String::new(),
                connect: String::new(),
                tables: tables.into(),
            };
            restored
                .comparison()
                .unwrap_or_else(|error| error.to_string())
        };
        for (orders, items, said) in [
            (
                [Some(0), None],
                [Some(9), Some(9)],
                "written to after the backup",
            ),
            ([Some(3), Some(0)], [Some(9), Some(9)], "no rows of orders."),
            (
                [Some(3), Some(0)],
                [Some(9), None],
                "no rows of order_items, orders.",
            ),
        ] {
            let compared = compared(orders, items);
            assert!(compared.contains(said), "{compared}");
        }
    }
}
