//! The local server that holds the schemas and users of the branches.

use std::borrow::Cow;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use super::branch_schema::{BranchSchema, quoted, quoted_list};
use super::passwords::Role;
use super::unique_keys::UniqueKey;
use crate::stack;
use crate::stack::access::Access;

/// A connection of the administrator. A lost connection is replaced.
pub struct Server {
    access: Access,
    connection: Option<Conn>,
    /// A connection to a real Vitess that makes the deployments.
    pub vtgate: Option<Conn>,
}

/// Whether a copy contains rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    Copied,
    LeftOut,
}

impl Server {
    pub fn new(access: Access) -> Self {
        Self {
            access,
            connection: None,
            vtgate: None,
        }
    }

    /// A connection that works.
    pub async fn connection(&mut self) -> Result<&mut Conn, Error> {
        let alive = match &mut self.connection {
            Some(connection) => connection.ping().await.is_ok(),
            None => false,
        };
        if !alive {
            let mut connection = self
                .access
                .connect_as_admin(None)
                .await
                .map_err(|error| Error::Other(error.into()))?;
            // A locked table must not block the control plane for long.
            connection
                .query_drop("SET SESSION lock_wait_timeout = 20, SESSION foreign_key_checks = 0")
                .await?;
            self.connection = Some(connection);
        }
        self.connection
            .as_mut()
            .ok_or_else(|| Error::Other("no connection".into()))
    }

    /// Runs statements in a schema until one fails.
    pub async fn run<S: AsRef<str>>(
        &mut self,
        schema: &str,
        statements: &[S],
    ) -> Result<(), Error> {
        let connection = self.connection().await?;
        connection
            .query_drop(format!("USE {}", quoted(schema)))
            .await?;
        for statement in statements {
            connection.query_drop(of_nobody(statement.as_ref())).await?;
        }
        Ok(())
    }

    /// Reads the tables and views of a schema.
    pub async fn read(&mut self, schema: &str) -> Result<BranchSchema, Error> {
        BranchSchema::read(self.connection().await?, schema).await
    }

    /// The columns that identify the rows of a table.
    pub async fn row_identity(&mut self, schema: &str, table: &str) -> Result<Vec<String>, Error> {
        UniqueKey::row_identity(self.connection().await?, schema, table).await
    }

    /// The columns of a table that are not generated.
    pub async fn stored_columns(
        &mut self,
        schema: &str,
        table: &str,
    ) -> Result<Vec<String>, Error> {
        let query = "SELECT column_name FROM information_schema.columns \
                     WHERE table_schema = ? AND table_name = ? \
                     AND COALESCE(generation_expression, '') = '' ORDER BY ordinal_position";
        let connection = self.connection().await?;
        connection.exec(query, (schema, table)).await
    }

    /// Creates an empty schema with the character set of another one.
    pub async fn create_schema(&mut self, name: &str, like: &str) -> Result<(), Error> {
        let query = "SELECT default_character_set_name, default_collation_name \
                     FROM information_schema.schemata WHERE schema_name = ?";
        let connection = self.connection().await?;
        let defaults: Option<(String, String)> = connection.exec_first(query, (like,)).await?;
        let (charset, collation) =
            defaults.unwrap_or_else(|| ("utf8mb4".to_owned(), "utf8mb4_general_ci".to_owned()));
        let create = format!(
            "CREATE DATABASE {} CHARACTER SET {charset} COLLATE {collation}",
            quoted(name)
        );
        connection.query_drop(create).await
    }

    /// Makes `to` a copy of `from`, with or without rows.
    pub async fn copy(&mut self, from: &str, to: &str, rows: Rows) -> Result<(), Error> {
        let schema = self.read(from).await?;
        self.create_schema(to, from).await?;
        let creates: Vec<&String> = schema.tables.values().map(|table| &table.create).collect();
        self.run(to, &creates).await?;
        if rows == Rows::Copied {
            for name in schema.tables.keys() {
                let columns = quoted_list(&self.stored_columns(from, name).await?);
                let (source, target) = (quoted(from), quoted(to));
                let name = quoted(name);
                let fill = format!(
                    "INSERT INTO {target}.{name} ({columns}) SELECT {columns} FROM {source}.{name}"
                );
                self.connection().await?.query_drop(fill).await?;
            }
        }
        self.create_views(to, &schema).await
    }

    /// Creates the views of a schema. A view can read another one, which must exist before.
    async fn create_views(&mut self, schema: &str, from: &BranchSchema) -> Result<(), Error> {
        let mut left: Vec<&String> = from.views.values().collect();
        while !left.is_empty() {
            let mut refused = Vec::new();
            let mut reason = None;
            for view in &left {
                if let Err(error) = self.run(schema, &[*view]).await {
                    refused.push(*view);
                    reason = Some(error);
                }
            }
            match reason {
                Some(reason) if refused.len() == left.len() => return Err(reason),
                _ => left = refused,
            }
        }
        Ok(())
    }

    /// The bytes that a schema's tables take.
    pub async fn size(&mut self, schema: &str) -> Result<u64, Error> {
        let query = "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS UNSIGNED) \
                     FROM information_schema.tables WHERE table_schema = ?";
        let size = self
            .connection()
            .await?
            .exec_first(query, (schema,))
            .await?;
        Ok(size.unwrap_or_default())
    }

    pub async fn exists(&mut self, schema: &str) -> Result<bool, Error> {
        let query = "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?";
        let connection = self.connection().await?;
        let found: Option<u8> = connection.exec_first(query, (schema,)).await?;
        Ok(found.is_some())
    }

    /// Drops the schemas and users whose names begin with that of `production`, except those that
    /// `stays` accepts.
    pub async fn drop_derived(
        &mut self,
        production: &str,
        stays: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        let derived = format!("{production}_");
        let doomed = |name: &str| name.starts_with(&derived) && !stays(name);
        stack::remove_those(self.connection().await?, doomed).await?;
        // The connection has got a shorter lock timeout by this.
        self.connection = None;
        Ok(())
    }

    pub async fn drop_schema(&mut self, name: &str) -> Result<(), Error> {
        let statement = format!("DROP DATABASE IF EXISTS {}", quoted(name));
        self.connection().await?.query_drop(statement).await
    }

    /// Creates a user with the rights of a role in a schema.
    pub async fn create_user(
        &mut self,
        user: &str,
        password: &str,
        schema: &str,
        role: Role,
    ) -> Result<(), Error> {
        // Behind vtgate everybody is the same user of MySQL, and sees how views are defined.
        let grants = match role {
            Role::Reader => "SELECT, SHOW VIEW",
            Role::Writer => "INSERT, UPDATE, DELETE, SHOW VIEW",
            Role::Readwriter => "SELECT, INSERT, UPDATE, DELETE, SHOW VIEW",
            Role::Admin => "ALL",
        };
        // In GRANT, an unescaped `_` matches any character.
        let schema = quoted(&schema.replace('_', "\\_"));
        let connection = self.connection().await?;
        for statement in [
            format!("CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'"),
            format!("GRANT {grants} ON {schema}.* TO '{user}'@'%'"),
        ] {
            connection.query_drop(statement).await?;
        }
        Ok(())
    }

    /// Locks a user. It is not dropped, because its views need their definer.
    pub async fn lock_user(&mut self, user: &str) -> Result<(), Error> {
        let statement = format!("ALTER USER '{user}'@'%' ACCOUNT LOCK");
        self.connection().await?.query_drop(statement).await
    }

    pub async fn drop_user(&mut self, user: &str) -> Result<(), Error> {
        let statement = format!("DROP USER IF EXISTS '{user}'@'%'");
        self.connection().await?.query_drop(statement).await
    }
}

/// Gives a view a definer that does not exist, and the rights of whoever reads it. Otherwise only
/// the administrator could change it.
fn of_nobody(statement: &str) -> Cow<'_, str> {
    for create in ["CREATE VIEW ", "CREATE OR REPLACE VIEW "] {
        if let Some(rest) = statement.strip_prefix(create) {
            let create = create.trim_end_matches("VIEW ");
            return format!("{create}DEFINER = 'nobody'@'%' SQL SECURITY INVOKER VIEW {rest}")
                .into();
        }
    }
    statement.into()
}
