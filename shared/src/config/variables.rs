//! The table of all variables.

/// A variable that the functions read.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What stands for it when it is not set; empty where there is no default.
    pub default: &'static str,
    /// Whether it is for a laptop only, so that `template.yaml` does not set it.
    pub local: bool,
    /// Which functions read it.
    pub readers: Readers,
    /// What it means.
    pub meaning: &'static str,
}

/// Which functions read a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// All: each has a database.
    All,
    /// Those that call PlanetScale's API.
    PlanetScale,
    /// `migrate-schema`.
    MigrateSchema,
}

/// Every variable of our own that a function reads. `template.yaml` and the README are held
/// against this table by the tests.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "DATABASE_SECRET_ID",
        default: "",
        local: false,
        readers: Readers::All,
        meaning: "name or ARN of the secret: JSON with `host`, `port`, `username`, `password`, `dbname`",
    },
    Variable {
        name: "DATABASE_URL",
        default: "",
        local: true,
        readers: Readers::All,
        meaning: "used when no secret is named: `mysql://user:password@host:port/name`",
    },
    Variable {
        name: "DATABASE_CA_FILE",
        default: "",
        local: true,
        readers: Readers::All,
        meaning: "PEM file of an own CA, in place of the built-in public roots",
    },
    Variable {
        name: "DATABASE_POOL_MAX",
        default: "2",
        local: false,
        readers: Readers::All,
        meaning: "most connections of one execution environment, up to 999; with `AWS_LAMBDA_MAX_CONCURRENCY` set, the default is the smaller of that and 10",
    },
    Variable {
        name: "DATABASE_ACQUIRE_TIMEOUT_MS",
        default: "2000",
        local: false,
        readers: Readers::All,
        meaning: "longest wait for a free connection of the pool",
    },
    Variable {
        name: "DATABASE_CONNECT_TIMEOUT_MS",
        default: "2000",
        local: false,
        readers: Readers::All,
        meaning: "longest time to connect and log in, repetitions included",
    },
    Variable {
        name: "DATABASE_STATEMENT_TIMEOUT_MS",
        default: "5000",
        local: false,
        readers: Readers::All,
        meaning: "longest time for one statement",
    },
    Variable {
        name: "DATABASE_PING_AFTER_MS",
        default: "5000",
        local: false,
        readers: Readers::All,
        meaning: "a connection idle for longer is pinged before it is used",
    },
    Variable {
        name: "DATABASE_PING_TIMEOUT_MS",
        default: "300",
        local: false,
        readers: Readers::All,
        meaning: "longest wait for the answer to that ping",
    },
    Variable {
        name: "DATABASE_MAX_IDLE_MS",
        default: "240000",
        local: false,
        readers: Readers::All,
        meaning: "a connection idle for longer is replaced (NAT gateways forget flows after 350 s)",
    },
    Variable {
        name: "DATABASE_MAX_AGE_MS",
        default: "1200000",
        local: false,
        readers: Readers::All,
        meaning: "a connection older than this is replaced",
    },
    Variable {
        name: "DATABASE_SECRET_MAX_AGE_MS",
        default: "300000",
        local: false,
        readers: Readers::All,
        meaning: "credentials older than this are fetched again",
    },
    Variable {
        name: "PLANETSCALE_ORGANIZATION",
        default: "",
        local: false,
        readers: Readers::PlanetScale,
        meaning: "PlanetScale's name of the organization",
    },
    Variable {
        name: "PLANETSCALE_DATABASE",
        default: "",
        local: false,
        readers: Readers::PlanetScale,
        meaning: "PlanetScale's name of the database",
    },
    Variable {
        name: "PLANETSCALE_BRANCH",
        default: "main",
        local: false,
        readers: Readers::PlanetScale,
        meaning: "the production branch, whose schema the functions use",
    },
    Variable {
        name: "PLANETSCALE_TOKEN_SECRET_ID",
        default: "",
        local: false,
        readers: Readers::PlanetScale,
        meaning: "name or ARN of the secret with PlanetScale's service token: JSON with `id` and `token`",
    },
    Variable {
        name: "PLANETSCALE_API_URL",
        default: "https://api.planetscale.com",
        local: false,
        readers: Readers::PlanetScale,
        meaning: "where PlanetScale's API answers, without its `/v1`",
    },
    Variable {
        name: "MIGRATIONS_FOLDER",
        default: "",
        local: true,
        readers: Readers::MigrateSchema,
        meaning: "folder of the migrations, in place of those that are compiled in",
    },
];
