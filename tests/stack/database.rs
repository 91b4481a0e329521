//! The database of one test, and the Vitess or the stand-in of vtgate that may stand before it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use serde_json::{Map, Value};

use crate::stack::access::{Access, Login};
use crate::stack::background;
use crate::stack::{Stack, remove};
use crate::stand_ins::vtgate::{Account, Vtgate};
use crate::vitess::{DirectDdl, Vitess, shards};

/// A schema of one test; it and its user are gone when the value is dropped, unless it was given.
#[derive(Debug)]
pub struct FreshDatabase {
    stack: Stack,
    login: Login,
    secret_id: String,
    front: Front,
}

/// What its user's connections end at.
#[derive(Debug)]
enum Front {
    /// The server itself.
    Server,
    StandIn(Vtgate),
    Vitess(Box<Vitess>),
}

impl FreshDatabase {
    pub(crate) fn new(stack: &Stack, login: Login, secret_id: &str) -> Self {
        Self {
            stack: stack.clone(),
            login,
            secret_id: secret_id.to_owned(),
            front: Front::Server,
        }
    }

    /// Puts a stand-in of vtgate of its own before it.
    pub(crate) async fn behind_vtgate(mut self) -> anyhow::Result<Self> {
        let access = self.access().clone();
        let starting = async move { Vtgate::start(&access).await };
        let vtgate = background::runtime()?.spawn(starting).await??;
        let account = Account {
            password: self.password().to_owned(),
            expires_at: None,
            keyspace: self.name().to_owned(),
            behind: self.login.clone(),
        };
        vtgate.admit(self.username(), account);
        self.front = Front::StandIn(vtgate);
        Ok(self)
    }

    /// Puts a Vitess of its own before it, whose keyspace is named as the schema.
    pub(crate) async fn on_vitess(mut self) -> anyhow::Result<Self> {
        let vitess = Vitess::start(
            self.access(),
            self.name(),
            self.login.clone(),
            DirectDdl::Refused,
            self.stack.is_sharded(),
        )
        .await?;
        let (user, password) = (self.username(), self.password());
        vitess.set_password(user, password).await?;
        self.front = Front::Vitess(Box::new(vitess));
        Ok(self)
    }

    /// The way to the stack that it is in.
    pub(crate) fn access(&self) -> &Access {
        self.stack.access()
    }

    /// The schema's name.
    pub fn name(&self) -> &str {
        &self.login.schema
    }

    /// Its user's name.
    pub fn username(&self) -> &str {
        &self.login.username
    }

    /// Its user's password.
    pub fn password(&self) -> &str {
        &self.login.password
    }

    /// The id of the secret with its user's login (`DATABASE_SECRET_ID`).
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }

    /// The same as a URL (`DATABASE_URL`).
    pub fn url(&self) -> String {
        let (host, port) = self.host_and_port();
        self.login.url(&host, port)
    }

    /// Its user's login as a secret holds it.
    pub fn secret(&self) -> String {
        let (host, port) = self.host_and_port();
        self.login.secret(&host, port)
    }

    /// The same with other values for some fields.
    pub fn secret_with(&self, changes: &[(&str, Value)]) -> String {
        let mut secret: Map<String, Value> =
            serde_json::from_str(&self.secret()).unwrap_or_default();
        for (field, value) in changes {
            secret.insert((*field).to_owned(), value.clone());
        }
        Value::from(secret).to_string()
    }

    fn host_and_port(&self) -> (String, u16) {
        let address = self.address();
        let host = match self.front {
            Front::Server => self.stack.access().host.clone(),
            Front::StandIn(_) | Front::Vitess(_) => address.ip().to_string(),
        };
        (host, address.port())
    }

    /// Where its user's connections end: at the server, at Vitess, or at the stand-in of vtgate.
    pub fn address(&self) -> SocketAddr {
        match &self.front {
            Front::Server => self.stack.server(),
            Front::StandIn(vtgate) => vtgate.address(),
            Front::Vitess(vitess) => vitess.address(),
        }
    }

    /// The stand-in of vtgate that stands before it, if one does.
    pub fn vtgate(&self) -> Option<&Vtgate> {
        match &self.front {
            Front::StandIn(vtgate) => Some(vtgate),
            Front::Server | Front::Vitess(_) => None,
        }
    }

    /// The Vitess that stands before it, if one does.
    pub fn vitess(&self) -> Option<&Vitess> {
        match &self.front {
            Front::Vitess(vitess) => Some(vitess.as_ref()),
            Front::Server | Front::StandIn(_) => None,
        }
    }

    /// Gives its user another password; the old one is refused at once.
    pub async fn change_password(&self, password: &str) -> anyhow::Result<()> {
        let user = self.username();
        match &self.front {
            Front::StandIn(vtgate) => vtgate.set_password(user, password),
            Front::Vitess(vitess) => vitess.set_password(user, password).await?,
            Front::Server => {
                let alter = format!("ALTER USER '{user}'@'%' IDENTIFIED BY '{password}'");
                let mut admin = self.stack.admin().await?;
                admin.query_drop(alter).await?;
                admin.disconnect().await?;
            }
        }
        Ok(())
    }

    /// A connection over TLS to the server itself as its user.
    pub async fn connect(&self) -> anyhow::Result<Conn> {
        let Login {
            username,
            password,
            schema,
        } = &self.login;
        Ok(self
            .stack
            .access()
            .connect(username, password, Some(schema))
            .await?)
    }

    /// A connection over TLS that may write, as an administrator. With two shards it is one to Vitess,
    /// which knows the shard of each row.
    pub async fn connect_as_admin(&self) -> anyhow::Result<Conn> {
        match &self.front {
            Front::Vitess(vitess) if self.stack.is_sharded() => {
                Ok(vitess.connect_as_admin().await?)
            }
            _ => Ok(self.access().connect_as_admin(Some(self.name())).await?),
        }
    }

    /// The schemas at the server that its tables are in: one, or one for each shard.
    pub fn schemas(&self) -> Vec<String> {
        match &self.front {
            Front::Vitess(_) if self.stack.is_sharded() => shards::TWO
                .map(|shard| shards::schema(self.name(), shard))
                .into(),
            _ => vec![self.name().to_owned()],
        }
    }

    /// A connection to the server that has locked the orders for everybody else, until it unlocks
    /// them or ends.
    pub async fn lock_orders(&self) -> anyhow::Result<Conn> {
        let mut admin = self.stack.admin().await?;
        let orders = self.schemas().into_iter();
        let orders: Vec<_> = orders
            .map(|schema| format!("`{schema}`.orders WRITE"))
            .collect();
        let lock = format!("LOCK TABLES {}", orders.join(", "));
        admin.query_drop(lock).await?;
        Ok(admin)
    }

    /// The connections of its user at the server, as an [administrator](Stack::admin) sees them.
    pub async fn connections(&self, admin: &mut Conn) -> anyhow::Result<Vec<u64>> {
        let connections = self.states(admin).await?;
        Ok(connections.into_iter().map(|(id, _)| id).collect())
    }

    /// How many connections its user has, to Vitess if that stands before it.
    pub async fn open_connections(&self) -> anyhow::Result<usize> {
        if let Some(vitess) = self.vitess() {
            return vitess.sessions(self.username()).await;
        }
        let mut admin = self.stack.admin().await?;
        let connections = self.connections(&mut admin).await?;
        admin.disconnect().await?;
        Ok(connections.len())
    }

    /// How many statements of its user wait for a table that another has locked.
    pub async fn waiting_for_a_table(&self, admin: &mut Conn) -> anyhow::Result<usize> {
        let states = self.states(admin).await?.into_iter();
        let waiting = |state: &String| state == "Waiting for table metadata lock";
        Ok(states.filter(|(_, state)| waiting(state)).count())
    }

    /// The connections of its user with what each of them does.
    async fn states(&self, admin: &mut Conn) -> anyhow::Result<Vec<(u64, String)>> {
        // The table of the same name fails on MySQL while a statement runs whose text has bytes in
        // it that are none.
        let rows: Vec<Row> = admin.query("SHOW PROCESSLIST").await?;
        let rows = rows.iter().filter(|row| {
            let user: Option<String> = row.get_opt("User").and_then(Result::ok);
            user.as_deref() == Some(self.username())
        });
        let state = |row: &Row| {
            let id = row.get_opt("Id")?.ok()?;
            let state = row.get_opt("State").and_then(Result::ok);
            Some((id, state.unwrap_or_default()))
        };
        Ok(rows.filter_map(state).collect())
    }

    /// Ends all connections of its user, as a failover does, and waits until they are gone.
    pub async fn kill_connections(&self, admin: &mut Conn) -> anyhow::Result<()> {
        while self.kill_connections_once(admin).await? > 0 {}
        Ok(())
    }

    /// Ends the connections that its user has now, not those that follow, and says how many.
    pub async fn kill_connections_once(&self, admin: &mut Conn) -> anyhow::Result<usize> {
        let connections = self.connections(admin).await?;
        for id in &connections {
            // It may have gone by itself in the meantime.
            let _ = admin.query_drop(format!("KILL {id}")).await;
        }
        Ok(connections.len())
    }

    /// The environment that `template.yaml` gives the function, filled in for this schema, with
    /// what Lambda adds that the function needs (region, credentials) and what leads it to this
    /// stack. Without the variables of the Runtime API.
    pub fn environment(&self, function: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let deployed = BTreeMap::from([("DATABASE_SECRET_ID".to_owned(), self.secret_id.clone())]);
        let mut environment = self
            .stack
            .template()
            .function(function)?
            .environment(&deployed)?;
        environment.extend(self.stack.access().environment());
        Ok(environment)
    }
}

impl Drop for FreshDatabase {
    /// What can't be dropped now, because a lost connection still locks it, the next
    /// `cargo dev test` drops.
    fn drop(&mut self) {
        // Vitess would complain of its schema that goes.
        self.front = Front::Server;
        let access = self.stack.access().clone();
        if access.existing_database.is_some() {
            return;
        }
        let name = self.login.schema.clone();
        // A runtime of its own: this may be dropped inside another one.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut admin = access
                    .connect_as_admin(None)
                    .await
                    .map_err(std::io::Error::other)?;
                remove(&mut admin, &name)
                    .await
                    .map_err(std::io::Error::other)
            })
        });
        let _ = dropped.join();
    }
}
