//! Transactions as closures. They are committed, rolled back, or end with their connection.

use std::sync::{Arc, Mutex, PoisonError};

use mysql_async::{Params, prelude::FromRow};

use super::{
    DatabaseError, Statement,
    connection::{Answer, Connection, FAILED},
    failure::Failure,
    retries::Retries,
    session::{Limits, Session, read},
};

/// An open transaction, which the closure given to [`Session::transaction`] gets.
///
/// It can be neither committed nor rolled back by hand. If it is dropped in the middle, for example
/// with its invocation, the connection is closed at once, and the server rolls back.
pub struct Transaction {
    open: Open,
    limits: Limits,
    /// Where the connection is put when the closure is done with it.
    returned: Arc<Mutex<Option<Open>>>,
}

/// The connection of a transaction, and its first serious failure.
struct Open {
    connection: Connection,
    /// The first failure after which the transaction must not be committed.
    broken: Option<Failure>,
}

impl Transaction {
    /// Runs a statement and reads all of its rows.
    ///
    /// # Errors
    ///
    /// See [`DatabaseError`]. After a duplicate key or a refused statement, the transaction stays open
    /// and may go on. After any other error, it will not be committed.
    pub async fn rows<T: FromRow>(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<Vec<T>, DatabaseError> {
        read(self.run(statement, params.into()).await?.rows)
    }

    /// Runs a statement and reads its first row, if there is one.
    ///
    /// # Errors
    ///
    /// The errors of [`Transaction::rows`].
    pub async fn row<T: FromRow>(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<Option<T>, DatabaseError> {
        Ok(self.rows(statement, params).await?.into_iter().next())
    }

    /// Runs a write and returns how many rows it changed.
    ///
    /// # Errors
    ///
    /// The errors of [`Transaction::rows`].
    pub async fn execute(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<u64, DatabaseError> {
        Ok(self.run(statement, params.into()).await?.changed)
    }

    async fn run(
        &mut self,
        statement: &Statement,
        params: Params,
    ) -> Result<Answer, DatabaseError> {
        if let Some(failure) = &self.open.broken {
            return Err(failure.meaning());
        }
        let connection = &mut self.open.connection;
        let failure = match self.limits.send(connection, statement, params).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let error = failure.meaning();
        if failure.breaks_transaction() {
            self.open.broken = Some(failure);
        } else if error == DatabaseError::Refused {
            tracing::warn!(%failure, "a statement failed");
        }
        Err(error)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let open = Open {
            connection: self.open.connection.take(),
            broken: self.open.broken.take(),
        };
        *self.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
    }
}

impl Session<'_> {
    /// Runs `body` in a transaction. If it returns `Ok`, the transaction is committed. If it returns
    /// `Err`, the transaction is rolled back.
    ///
    /// If the server rolls the transaction back or loses it before COMMIT is sent, the whole of `body`
    /// runs again. So `body` must do nothing that lasts, except through the transaction that it gets.
    ///
    /// # Errors
    ///
    /// The error of `body`, or one made of a [`DatabaseError`]. If the answer to COMMIT is lost, that is
    /// [`DatabaseError::OutcomeUnknown`]. COMMIT is never repeated, because it may have been done.
    // An `AsyncFnMut(&mut Transaction)` would be simpler, but a future with such a closure that captures
    // a reference is not `Send` to the compiler (1.94).
    pub async fn transaction<T, E, F, Fut>(&mut self, mut body: F) -> Result<T, E>
    where
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<DatabaseError>,
    {
        let mut retries = Retries::new(self.limits.deadline);
        loop {
            let attempt = self.attempt(&mut body).await;
            match attempt.inspect_err(DatabaseError::count)? {
                Attempt::Done(outcome) => return outcome,
                Attempt::Undone(failure) => retries.of_transaction(failure).await?,
            }
        }
    }

    async fn attempt<T, E, F, Fut>(&mut self, body: &mut F) -> Result<Attempt<T, E>, DatabaseError>
    where
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<DatabaseError>,
    {
        let limits = self.limits;
        self.connection().await?;
        if let Err(failure) = self.begin().await {
            return undone_or_failed(failure);
        }
        // Taken out of the session, so that it is closed if `body` is dropped or panics.
        let returned = Arc::new(Mutex::new(None));
        let transaction = Transaction {
            open: Open {
                connection: self.slot.connection.take(),
                broken: None,
            },
            limits,
            returned: Arc::clone(&returned),
        };
        let outcome = body(transaction).await;
        let open = returned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(Open { connection, broken }) = open else {
            tracing::error!("a transaction was kept beyond its closure");
            return Err(DatabaseError::Refused);
        };
        self.slot.connection = connection;
        let connection = &mut self.slot.connection;
        match (broken, outcome) {
            (None, Ok(value)) => commit(limits, connection, value).await,
            (None, Err(error)) => {
                roll_back(limits, connection).await;
                Ok(Attempt::Done(Err(error)))
            }
            (Some(failure), _) => {
                roll_back(limits, connection).await;
                undone_or_failed(failure)
            }
        }
    }

    /// START TRANSACTION changes nothing. So if this connection is slow to give its first answer, the
    /// transaction may begin on another one.
    async fn begin(&mut self) -> Result<(), Failure> {
        const BEGIN: &str = "START TRANSACTION";
        let mut limits = self.limits;
        if self.is_proven() {
            return limits.command(&mut self.slot.connection, BEGIN).await;
        }
        limits.statement = limits.statement.min(limits.silence);
        match limits.command(&mut self.slot.connection, BEGIN).await {
            Err(Failure::TimedOut) => Err(Failure::Closed),
            outcome => outcome,
        }
    }
}

/// How one attempt at a transaction ended.
enum Attempt<T, E> {
    Done(Result<T, E>),
    /// Certainly nothing of it lasts.
    Undone(Failure),
}

fn undone_or_failed<T, E>(failure: Failure) -> Result<Attempt<T, E>, DatabaseError> {
    if failure.undoes_transaction() {
        return Ok(Attempt::Undone(failure));
    }
    tracing::warn!(%failure, "a transaction failed");
    Err(failure.meaning())
}

async fn commit<T, E>(
    limits: Limits,
    connection: &mut Connection,
    value: T,
) -> Result<Attempt<T, E>, DatabaseError> {
    let failure = match limits.command(connection, "COMMIT").await {
        Ok(()) => return Ok(Attempt::Done(Ok(value))),
        Err(failure) => failure,
    };
    connection.close(FAILED).await;
    if failure.is_rolled_back() {
        return Ok(Attempt::Undone(failure));
    }
    tracing::warn!(%failure, "COMMIT failed");
    Err(match failure {
        Failure::NoTime => DatabaseError::OutOfTime,
        _ => DatabaseError::OutcomeUnknown,
    })
}

/// Rolls back. If that fails, the connection is closed, and the server rolls back because of that.
async fn roll_back(limits: Limits, connection: &mut Connection) {
    if connection.is_open() && limits.command(connection, "ROLLBACK").await.is_err() {
        connection.close(FAILED).await;
    }
}
