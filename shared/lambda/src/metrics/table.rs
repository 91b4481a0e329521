//! The table of all metrics.

macro_rules! table {
    ($($name:ident: $unit:ident, $meaning:literal;)*) => {
        /// Every metric. The README of the functions has the same table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $meaning] $name,)*
        }

        impl Metric {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in CloudWatch.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Its unit, by CloudWatch's name.
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$name => stringify!($unit),)* }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

table! {
    ColdStart: Count, "1 in the first invocation of an execution environment, 0 in the others";
    InitDuration: Milliseconds, "time from the start of `main` until the function asks for its first event; in the first invocation";
    Duration: Milliseconds, "time that the invocation took";
    ConnectionWait: Milliseconds, "time that the invocation waited for connections: for its turn, a login, a ping";
    ConnectionsOpened: Count, "logins that succeeded";
    ConnectionsDiscarded: Count, "connections that were closed; `discarded_because` has the causes";
    PingFailed: Count, "pings of a connection that had no good answer";
    Statements: Count, "statements sent, with those that open and end transactions";
    StatementDuration: Milliseconds, "time from sending a statement to its answer or failure, for each statement, up to 100 in an invocation";
    Retries: Count, "statements, transactions and logins that were repeated";
    SecretRefreshed: Count, "secrets that were fetched from Secrets Manager";
    LoginRefused: Count, "logins that the database refused";
    DatabaseUnavailable: Count, "sessions, statements and transactions that failed because the database could not be reached or did not answer in time";
    OutcomeUnknown: Count, "1 if the answer says that nobody knows whether the change has happened";
    Status4xx: Count, "1 if the answer has a status from 400 to 499, else 0";
    Status5xx: Count, "1 if the answer has a status of 500 or more, else 0";
    BackupAge: None, "hours since the newest successful backup was taken, or since the branch was made if there is none";
    BackupFailed: Count, "backups that failed, or could not be checked or started";
    RotationFailed: Count, "steps of a rotation that failed";
    SchemaChangeFailed: Count, "steps of a schema change that failed for good";
    QueriesWithoutIndex: Count, "statements of the catalogue that do not use their index, by the weekly review";
    SlowQueries: Count, "queries that take more than 250 ms in one of a hundred runs, by the weekly review";
}
