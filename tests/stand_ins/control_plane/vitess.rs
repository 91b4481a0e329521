//! A real Vitess for each branch, if the stack has Vitess. Its keyspace has the name of the
//! database, as on PlanetScale.
//!
//! It starts with the first password of the branch, and refuses direct DDL if the branch has safe
//! migrations then. It does not know the roles and TTLs of passwords.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::DATABASE;
use super::branches::Branch;
use crate::stack::access::{ADMIN, Access, Login};
use crate::vitess::{DirectDdl, Vitess};

/// The running ones, by the schema of the branch.
pub struct BranchVitess {
    access: Access,
    running: Mutex<BTreeMap<String, Arc<Vitess>>>,
}

impl BranchVitess {
    /// None if the stack has no Vitess.
    pub fn of(access: &Access) -> Option<Self> {
        access.vitess.is_some().then(|| Self {
            access: access.clone(),
            running: Mutex::default(),
        })
    }

    /// The address for connections to the branch, once it has a password.
    pub fn address(&self, branch: &Branch) -> Option<SocketAddr> {
        let running = self.running();
        running.get(&branch.schema).map(|vitess| vitess.address())
    }

    /// Takes the Vitess that somebody else has started before a schema.
    pub fn adopt(&self, schema: &str, vitess: Arc<Vitess>) {
        self.running().insert(schema.to_owned(), vitess);
    }

    /// Adds a user, and starts Vitess if the branch has none yet.
    pub async fn admit(&self, branch: &Branch, user: &str, password: &str) -> anyhow::Result<()> {
        let known = self.running().get(&branch.schema).cloned();
        let vitess = match known {
            Some(vitess) => vitess,
            None => self.start(branch).await?,
        };
        vitess.set_password(user, password).await
    }

    /// Removes a user.
    pub async fn refuse(&self, schema: &str, user: &str) -> anyhow::Result<()> {
        let vitess = self.running().get(schema).cloned();
        match vitess {
            Some(vitess) => vitess.remove_user(user).await,
            None => Ok(()),
        }
    }

    /// Stops the Vitess of a schema.
    pub fn end(&self, schema: &str) {
        self.running().remove(schema);
    }

    async fn start(&self, branch: &Branch) -> anyhow::Result<Arc<Vitess>> {
        let password = self.access.administration.as_ref();
        let tablets = Login {
            username: ADMIN.to_owned(),
            password: password.map(|of| of.password.clone()).unwrap_or_default(),
            schema: branch.schema.clone(),
        };
        let ddl = match branch.safe_migrations {
            true => DirectDdl::Refused,
            false => DirectDdl::Taken,
        };
        let vitess = Vitess::start(&self.access, DATABASE, tablets, ddl, false).await?;
        let vitess = Arc::new(vitess);
        self.running()
            .insert(branch.schema.clone(), Arc::clone(&vitess));
        Ok(vitess)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Vitess>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
