//! A database whose login can be rotated.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::{Conn, prelude::Queryable};
use reqwest::Method;
use serde_json::{Value, json};
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::control_plane::{ApiClient, ControlPlane, ServiceToken};
use tests::stand_ins::lambda::{Function, Reported, Setup};

use crate::STEPS;
use crate::relay::Relay;

/// Accesses that the function's token does not have. Those for the production branch are left to it.
const NEEDLESS: [&str; 8] = [
    "connect_branch",
    "create_branch",
    "delete_branch",
    "delete_branch_password",
    "read_branch",
    "read_database",
    "read_databases",
    "write_database",
];

/// A secret with a login, and the function that rotates it.
pub struct Rotation {
    pub stack: Stack,
    pub database: FreshDatabase,
    pub relay: Relay,
    /// PlanetScale, if the database is there.
    pub planetscale: Option<PlanetScale>,
    pub secret_id: String,
    pub function: Function,
    setup: Setup,
}

/// The stand-in of PlanetScale.
pub struct PlanetScale {
    pub control_plane: ControlPlane,
    /// The function's.
    pub token: ServiceToken,
    api: ApiClient,
    /// The usernames of passwords that the function has not made.
    foreign: BTreeSet<String>,
}

impl Rotation {
    /// The secret has a password of the production branch. There is another one that nothing here
    /// may touch.
    pub async fn on_planetscale(role: &str) -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let control_plane = ControlPlane::over(&database).await.unwrap();
        control_plane.record();
        let token = control_plane.token().await;
        let api = control_plane.client(&token);
        let mut planetscale = PlanetScale {
            control_plane,
            token,
            api,
            foreign: BTreeSet::new(),
        };
        let other = json!({ "name": "rotate-credentials", "role": "reader" });
        planetscale.create(other).await;
        let cidrs = ["127.0.0.0/8"];
        let replica = role == "reader";
        let first = json!({ "name": "first", "role": role, "replica": replica, "cidrs": cidrs });
        let first = planetscale.create(first).await;
        // Its passwords also log in at the server itself, where connections can be killed.
        let secret = json!({
            "engine": "mysql", "host": stack.server().ip(), "port": stack.server().port(),
            "dbname": database.name(), "username": first["username"], "password": first["plain_text"],
        });
        let token = planetscale.control_plane.new_token().await;
        for access in NEEDLESS {
            planetscale.control_plane.revoke(&token, access).await;
        }
        let token_id = stack.new_secret(&token.secret()).await.unwrap();
        planetscale.token = token;
        let relay = Relay::default();
        let api_url = relay.before(planetscale.control_plane.url()).await;
        let mut environment = planetscale.control_plane.environment(&token_id);
        environment.insert("PLANETSCALE_API_URL".to_owned(), api_url);
        Self::new(
            stack,
            database,
            relay,
            &secret,
            environment,
            Some(planetscale),
        )
        .await
    }

    pub async fn new(
        stack: Stack,
        database: FreshDatabase,
        relay: Relay,
        secret: &Value,
        environment: BTreeMap<String, String>,
        planetscale: Option<PlanetScale>,
    ) -> Self {
        let secret_id = stack.new_secret(&secret.to_string()).await.unwrap();
        let secrets = relay.before(stack.secrets_url()).await;
        let setup = Function::of(&stack, &database, "rotate-credentials").unwrap();
        let setup = setup
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets)
            .envs(environment);
        Self {
            function: setup.clone().start().await.unwrap(),
            stack,
            database,
            relay,
            planetscale,
            secret_id,
            setup,
        }
    }

    pub fn planetscale(&self) -> &PlanetScale {
        self.planetscale.as_ref().unwrap()
    }

    /// Begins a rotation. Returns the id of the version that it makes.
    pub async fn begin(&self) -> String {
        let secrets = self.stack.secrets();
        secrets.begin_rotation(&self.secret_id).await.unwrap()
    }

    /// Takes the stage AWSPENDING away, and begins another rotation.
    pub async fn begin_anew(&self) -> String {
        let secrets = self.stack.secrets();
        secrets.take_pending_away(&self.secret_id).await.unwrap();
        self.begin().await
    }

    /// Calls the function, unless it ends.
    pub async fn call(&self, step: &str, version: &str) -> anyhow::Result<Result<Value, Reported>> {
        let event = json!({
            "Step": step, "SecretId": self.secret_id, "ClientRequestToken": version,
            "RotationToken": "a rotation token",
        });
        self.function.call(event).await
    }

    /// Calls one step, which must succeed. Returns what it did.
    pub async fn step(&self, step: &str, version: &str) -> String {
        let called = self.call(step, version).await.unwrap();
        let answer = called.unwrap_or_else(|error| panic!("{step}: {error:?}\n{}", self.log()));
        answer["done"].as_str().unwrap().to_owned()
    }

    /// Calls one step, which must fail. Returns the name of the error and its message.
    pub async fn refused(&self, step: &str, version: &str) -> (String, String) {
        let error = self.call(step, version).await.unwrap().unwrap_err();
        (error.name, error.message)
    }

    /// Calls all steps, which must succeed.
    pub async fn finish(&self, version: &str) {
        for step in STEPS {
            self.step(step, version).await;
        }
    }

    /// A whole rotation, and whether everything is as it should be after it.
    pub async fn rotate(&self) {
        let version = self.begin().await;
        self.complete(&version).await;
    }

    /// The rest of a rotation, and whether everything is as it should be after it.
    pub async fn complete(&self, version: &str) {
        let before = self.current().await;
        self.finish(version).await;
        self.assert_rotated(&before, version).await;
    }

    /// Runs all steps with a function that dies after its `call`-th call. Returns whether it did.
    pub async fn die_after(&mut self, call: usize, version: &str) -> bool {
        self.relay.kill_after(call, self.function.pid());
        let mut died = false;
        for step in STEPS {
            died = self.call(step, version).await.is_err();
            if died {
                break;
            }
        }
        self.relay.spare();
        self.function = self.setup.clone().start().await.unwrap();
        died
    }

    /// The login of the current version.
    pub async fn current(&self) -> Value {
        self.at("AWSCURRENT").await.1
    }

    /// Stores the current login with another value in one field, as a person would.
    pub async fn change(&self, field: &str, value: Value) {
        let mut secret = self.current().await;
        secret[field] = value;
        let secret = secret.to_string();
        let changed = self.stack.change_secret(&self.secret_id, &secret);
        changed.await.unwrap();
    }

    /// Takes each step twice, and returns the version that it makes.
    pub async fn take_each_step_twice(&self) -> String {
        let before = self.current().await;
        let version = self.begin().await;
        for step in STEPS {
            self.step(step, &version).await;
            self.step(step, &version).await;
        }
        self.assert_rotated(&before, &version).await;
        version
    }

    /// The id and the text of the version at a stage.
    pub async fn at(&self, stage: &str) -> (String, Value) {
        let version = self.stack.secrets().version(&self.secret_id, stage);
        let (version, text) = version.await.unwrap().unwrap();
        (version, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Asserts that the secret's versions are right after a rotation, that nothing is left behind,
    /// and that no password was told.
    pub async fn assert_rotated(&self, before: &Value, version: &str) {
        let (id, current) = self.at("AWSCURRENT").await;
        assert_eq!(id, version, "{}", self.log());
        let (_, previous) = self.at("AWSPREVIOUS").await;
        assert_eq!(previous, *before);
        let without_login = |login: &Value| {
            let mut rest = login.clone();
            let fields = rest.as_object_mut().unwrap();
            assert!(fields.remove("username").is_some() && fields.remove("password").is_some());
            rest
        };
        assert_eq!(without_login(&current), without_login(&previous));
        for login in [&current, &previous] {
            let mut conn = self.connect(login).await.unwrap();
            conn.query_drop("SELECT 1").await.unwrap();
            conn.disconnect().await.unwrap();
            assert!(!self.log().contains(login["password"].as_str().unwrap()));
        }
        assert!(!self.log().contains("a rotation token"));
        if let Some(planetscale) = &self.planetscale {
            let mut expected = planetscale.foreign.clone();
            for login in [&current, &previous] {
                expected.insert(login["username"].as_str().unwrap().to_owned());
            }
            assert_eq!(planetscale.usernames().await, expected, "{}", self.log());
        }
    }

    /// A connection with a login.
    pub async fn connect(&self, login: &Value) -> Result<Conn, mysql_async::Error> {
        let text = |field: &str| login[field].as_str().unwrap();
        let address = format!("{}:{}", text("host"), login["port"]);
        let (user, password, schema) = (text("username"), text("password"), text("dbname"));
        self.stack
            .connect_to(&address, user, password, schema)
            .await
    }

    /// What the function has written.
    pub fn log(&self) -> String {
        self.function.output().unwrap()
    }
}

impl PlanetScale {
    /// Creates a password as a person does.
    async fn create(&mut self, body: Value) -> Value {
        let password = self.post("/branches/main/passwords", body).await;
        self.foreign
            .insert(password["username"].as_str().unwrap().to_owned());
        password
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self
            .api
            .send(Method::POST, path, Some(&body))
            .await
            .unwrap();
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    /// The branch's passwords.
    pub async fn passwords(&self) -> Vec<Value> {
        let path = "/branches/main/passwords?per_page=100";
        let (_, list) = self.api.send(Method::GET, path, None).await.unwrap();
        list["data"].as_array().unwrap().clone()
    }

    /// The usernames of the branch's passwords.
    pub async fn usernames(&self) -> BTreeSet<String> {
        let passwords = self.passwords().await;
        let names = passwords
            .iter()
            .map(|one| one["username"].as_str().unwrap().to_owned());
        names.collect()
    }

    /// Deletes a password as a person does.
    pub async fn delete(&self, username: &str) {
        let passwords = self.passwords().await;
        let password = passwords
            .iter()
            .find(|one| one["username"] == username)
            .unwrap();
        let path = format!(
            "/branches/main/passwords/{}",
            password["id"].as_str().unwrap()
        );
        self.api.send(Method::DELETE, &path, None).await.unwrap();
    }
}
