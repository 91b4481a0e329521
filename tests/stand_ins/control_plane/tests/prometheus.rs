//! A real Prometheus with the configuration in `shared/planetscale/metrics/`, which discovers the branches of the
//! local control plane and reads their metrics.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mysql_async::prelude::Queryable as _;
use serde_json::Value;
use tests::stack::free_port;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;
use tests::{eventually, skipped};

/// Ends with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether this program of Debian's package `prometheus` is there.
fn is_there(program: &str) -> bool {
    let mut version = Command::new(program);
    version.arg("--version");
    let found = version.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        skipped(&format!("there is no {program} (.ci/packages installs it)"));
    }
    found.is_ok()
}

/// A folder with the files of `shared/planetscale/metrics/`, which have these replacements.
fn configured(name: &str, replacements: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for file in ["prometheus.yml", "rules.yml"] {
        let mut text =
            fs::read_to_string(tests::root().join("shared/planetscale/metrics").join(file))
                .unwrap();
        for (from, to) in replacements {
            text = text.replace(from, to);
        }
        fs::write(folder.join(file), text).unwrap();
    }
    folder
}

#[test]
fn each_rule_warns_of_what_it_is_for_and_of_nothing_else() {
    if !is_there("promtool") {
        return;
    }
    let folder = configured("promtool", &[]);
    fs::write(
        folder.join("rules.test.yml"),
        include_str!("rules.test.yml"),
    )
    .unwrap();
    fs::write(folder.join("planetscale-token"), "id:token").unwrap();
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "rules.test.yml"],
    ] {
        let mut promtool = Command::new("promtool");
        let checked = promtool.args(arguments).current_dir(&folder).output();
        let checked = checked.unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{said}");
    }
}

#[test]
fn the_runbook_explains_each_rule_and_datadog_reads_the_same_metrics() {
    let read = |file: &str| {
        let file = tests::root().join("shared/planetscale/metrics").join(file);
        fs::read_to_string(file).unwrap()
    };
    let (rules, runbook, datadog) = (read("rules.yml"), read("README.md"), read("datadog.yaml"));
    for rule in rules.split("- alert: ").skip(1) {
        let (name, _) = rule.split_once('\n').unwrap();
        assert!(runbook.contains(&format!("| `{name}` |")), "{name}");
    }
    for metric in [
        "mysql_replica_lag_seconds",
        "edge_active_connections",
        "vtgate_errors",
    ] {
        let line = format!("- planetscale_{metric}: {metric}\n");
        assert!(
            rules.contains(&format!("(planetscale_{metric}")),
            "{metric}"
        );
        assert!(datadog.contains(&line), "{metric}");
    }
}

#[tokio::test]
async fn prometheus_discovers_the_branches_and_warns_of_errors() {
    if !is_there("prometheus") {
        return;
    }
    let api = FreshControlPlane::start().await;
    let url = api.control_plane.url();
    let replacements = [
        ("https://api.planetscale.com", url),
        ("ORGANIZATION", "local"),
        (": 30s", ": 1s"),
        ("for: 5m", "for: 0s"),
    ];
    let folder = configured("prometheus", &replacements);
    let token = format!("{}:{}", api.token.id, api.token.token);
    fs::write(folder.join("planetscale-token"), token).unwrap();

    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut prometheus = Command::new("prometheus");
    prometheus
        .arg("--config.file=prometheus.yml")
        .arg("--storage.tsdb.path=data")
        .arg(format!("--web.listen-address={address}"))
        .current_dir(&folder)
        .stdout(Stdio::null())
        .stderr(log);
    let _prometheus = Prometheus(prometheus.spawn().unwrap());
    let http = tests::http_client();
    let ask = async |path: &str| -> Option<Value> {
        let url = format!("http://{address}/api/v1/{path}");
        let answer = http.get(url).send().await.ok()?.bytes().await.ok()?;
        serde_json::from_slice(&answer).ok()
    };
    // It has read the branch once before the errors begin.
    let connections = "query?query=planetscale_edge_active_connections";
    let main = eventually("the metrics of main", async || {
        let answer = ask(connections).await?;
        let metric = answer["data"]["result"][0]["metric"].clone();
        metric.is_object().then_some(metric)
    })
    .await;
    assert_eq!(main["planetscale_branch_name"], "main");
    assert_eq!(main["planetscale_database_name"], "orders");

    let password = api.password("main", "reader").await;
    let mut conn = api.login(&password).await.unwrap();
    let warning = eventually("a warning", async || {
        for _ in 0..10 {
            conn.query_drop("SELECT missing").await.unwrap_err();
        }
        let answer = ask("alerts").await?;
        let alerts = answer["data"]["alerts"].as_array()?.clone();
        let mut firing = alerts
            .into_iter()
            .filter(|alert| alert["state"] == "firing");
        firing.find(|alert| alert["labels"]["alertname"] == "VtgateErrors")
    })
    .await;
    assert_eq!(warning["labels"]["planetscale_branch_name"], "main");
    conn.disconnect().await.unwrap();
}

#[tokio::test]
async fn the_discovery_asks_for_a_token_and_a_branch_for_its_signature() {
    let api = FreshControlPlane::start().await;
    let url = api.control_plane.url();
    let discovery = format!("{url}/v1/organizations/local/metrics");
    let http = tests::http_client();
    let status = async |url: &str, token: &str| {
        let request = http.get(url).header("authorization", token);
        request.send().await.unwrap().status().as_u16()
    };
    let token = format!("token {}:{}", api.token.id, api.token.token);
    assert_eq!(status(&discovery, &token).await, 200);
    assert_eq!(status(&discovery, "token a:b").await, 401);
    let branch = api.get("/branches/main").await["id"].clone();
    let unsigned = format!(
        "{url}/metrics/branch/{}?sig=0&exp=0",
        branch.as_str().unwrap()
    );
    assert_eq!(status(&unsigned, &token).await, 403);
    api.control_plane
        .revoke(&api.token, "read_metrics_endpoints")
        .await;
    assert_eq!(status(&discovery, &token).await, 404);
}
