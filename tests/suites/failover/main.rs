//! Failovers of a cluster of Vitess while the functions' own programs are called. Every answer is
//! held against the databases of the tablets that are left: nothing acknowledged is lost, nothing is
//! done twice, and what was answered with 503 was not done.
//!
//! `cargo dev test --vitess-cluster` runs them. Each has a cluster of its own.

mod load;
mod transaction;

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tests::stack::Stack;
use tests::vitess::cluster::Cluster;
use tokio::time::sleep;

use load::Load;

/// How long the load goes on before and after what happens, and in between.
const A_WHILE: Duration = Duration::from_secs(3);

async fn start() -> Cluster {
    Cluster::start(&Stack::from_env().unwrap()).await.unwrap()
}

/// Has something happen to a cluster under load, and verifies what is there then.
async fn under_load(happens: impl AsyncFnOnce(&mut Cluster)) {
    let mut cluster = start().await;
    let mut load = Load::on(&cluster).await;
    load.during(happens(&mut cluster)).await;
    load.verify(&cluster).await;
}

#[tokio::test]
#[ignore = "takes a cluster of Vitess: cargo dev test --vitess-cluster"]
async fn a_planned_reparent() {
    under_load(async |cluster| {
        cluster.reparent(cluster.replica()).await.unwrap();
        sleep(A_WHILE).await;
        // vtgate holds statements back once in a minute, so not during this one.
        cluster.reparent(cluster.replica()).await.unwrap();
    })
    .await;
}

#[tokio::test]
#[ignore = "takes a cluster of Vitess: cargo dev test --vitess-cluster"]
async fn the_primary_s_machine_dies_and_a_replica_takes_over() {
    under_load(async |cluster| {
        let (dies, next) = (cluster.primary(), cluster.replica());
        cluster.kill_machine(dies).await;
        // As long as what watches over a cluster may take to notice.
        sleep(A_WHILE).await;
        cluster.reparent_in_an_emergency(next).await.unwrap();
    })
    .await;
}

#[tokio::test]
#[ignore = "takes a cluster of Vitess: cargo dev test --vitess-cluster"]
async fn an_emergency_reparent_though_the_primary_lives() {
    under_load(async |cluster| {
        let next = cluster.replica();
        cluster.reparent_in_an_emergency(next).await.unwrap();
    })
    .await;
}

#[tokio::test]
#[ignore = "takes a cluster of Vitess: cargo dev test --vitess-cluster"]
async fn tablets_die_and_come_back() {
    under_load(async |cluster| {
        for dies in [cluster.replica(), cluster.primary()] {
            cluster.kill_tablet(dies).await;
            sleep(A_WHILE).await;
            cluster.start_tablet(dies).await.unwrap();
            sleep(A_WHILE).await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "takes a cluster of Vitess: cargo dev test --vitess-cluster"]
async fn the_cutover_of_an_online_schema_change() {
    under_load(async |cluster| {
        let mut admin = cluster.connect_as_admin().await.unwrap();
        let change = [
            "SET @@ddl_strategy = 'vitess'",
            "ALTER TABLE orders ADD COLUMN channel VARCHAR(20) NULL",
        ];
        for statement in change {
            admin.query_drop(statement).await.unwrap();
        }
        let column = "SELECT COUNT(*) FROM information_schema.columns \
                      WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'channel'";
        let mut direct = cluster.connect_to_server(cluster.primary()).await.unwrap();
        while direct.query_first::<u64, _>(column).await.unwrap() != Some(1) {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}
