//! A keyspace of two shards, which are two schemas of the stack's one server.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::stack::migrations;

/// Their names: each says which half of the keyspace ids is on it.
pub const TWO: [&str; 2] = ["-80", "80-"];

/// The vschema, in the checkout.
pub const VSCHEMA: &str = "shared/migrations/vschema.json";

/// The schema of a shard of the keyspace that is named like the schema `name`.
pub fn schema(name: &str, shard: &str) -> String {
    format!("{name}_{shard}")
}

/// The shards of a keyspace, one or two, as vtcombo reads them.
pub(super) fn topology(name: &str, sharded: bool) -> String {
    let shards = match sharded {
        true => TWO.map(|shard| (shard, schema(name, shard))).into(),
        false => vec![("-", name.to_owned())],
    };
    let shards = shards.iter().map(|(shard, schema)| {
        format!(r#"shards: {{name: "{shard}" db_name_override: "{schema}"}}"#)
    });
    shards.collect::<Vec<_>>().join(" ")
}

/// Creates both schemas with the project's tables. The schema `name`, which must exist, gets views
/// of the rows on both shards, so that a test can look at them without Vitess.
pub(crate) async fn create(admin: &mut Conn, name: &str) -> anyhow::Result<()> {
    for shard in TWO {
        let schema = schema(name, shard);
        let create = format!("CREATE DATABASE `{schema}` CHARACTER SET utf8mb4");
        admin.query_drop(create).await?;
        admin.query_drop(format!("USE `{schema}`")).await?;
        migrations::apply(admin, &crate::root().join("shared/migrations")).await?;
    }
    for table in ["orders", "order_items"] {
        let rows = TWO.map(|shard| format!("SELECT * FROM `{}`.{table}", schema(name, shard)));
        let rows = rows.join(" UNION ALL ");
        let create = format!("CREATE VIEW `{name}`.{table} AS {rows}");
        admin.query_drop(create).await?;
    }
    Ok(())
}
