//! Transactions as closures: they are committed, or their connection ends.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use mysql_async::{Params, prelude::FromRow};

use super::{
    DatabaseError, Statement,
    failure::Failure,
    session::{Limits, Retries, Session, read},
    wire::Wire,
};

/// An open transaction, which the closure given to [`Session::transaction`] gets.
///
/// It can be neither committed nor rolled back by hand. When it is dropped in the middle, with
/// its invocation for instance, the connection is closed at once and the server rolls back.
pub struct Transaction {
    course: Course,
    limits: Limits,
    /// Where the connection is left when the closure is done with it.
    home: Arc<Mutex<Option<Course>>>,
}

/// The connection of a transaction and what it met.
struct Course {
    wire: Wire,
    /// The first failure after which it must not be committed.
    broken: Option<Failure>,
}

impl Transaction {
    /// Runs a statement and reads all of its rows.
    ///
    /// # Errors
    ///
    /// See [`DatabaseError`]. After one that leaves the transaction open (a duplicate key, a
    /// statement refused) it may go on; after any other it will not be committed.
    pub async fn rows<T: FromRow>(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<Vec<T>, DatabaseError> {
        let sent = self
            .limits
            .rows(&mut self.course.wire, statement, params.into());
        match sent.await {
            Ok(rows) => read(rows),
            Err(failure) => Err(self.course.met(failure)),
        }
    }

    /// Runs a statement and reads its first row, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Transaction::rows`].
    pub async fn row<T: FromRow>(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<Option<T>, DatabaseError> {
        Ok(self.rows(statement, params).await?.into_iter().next())
    }

    /// Runs a write and says how many rows it changed.
    ///
    /// # Errors
    ///
    /// As [`Transaction::rows`].
    pub async fn execute(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<u64, DatabaseError> {
        let sent = self
            .limits
            .execute(&mut self.course.wire, statement, params.into());
        match sent.await {
            Ok(changed) => Ok(changed),
            Err(failure) => Err(self.course.met(failure)),
        }
    }
}

impl Course {
    fn met(&mut self, failure: Failure) -> DatabaseError {
        let error = failure.meaning();
        if failure.breaks_transaction() {
            self.broken.get_or_insert(failure);
        } else if error == DatabaseError::Refused {
            tracing::warn!(%failure, "a statement failed");
        }
        error
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let course = Course {
            wire: self.course.wire.take(),
            broken: self.course.broken.take(),
        };
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = Some(course);
    }
}

impl Session<'_> {
    /// Runs `body` in a transaction: what it returns with `Ok` is committed, `Err` rolls back.
    ///
    /// `body` runs again, as a whole, when the server rolled the transaction back or lost it
    /// before COMMIT was sent; it must therefore do nothing that lasts but through the
    /// transaction that it is given.
    ///
    /// # Errors
    ///
    /// The error of `body`, or one made of a [`DatabaseError`]:
    /// [`DatabaseError::OutcomeUnknown`] when the answer to COMMIT was lost, which is never
    /// repeated here, since it may have been done.
    pub async fn transaction<T, E, F, Fut>(&mut self, mut body: F) -> Result<T, E>
    where
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<DatabaseError>,
    {
        let mut retries = Retries::new(self.limits.deadline);
        loop {
            match self.attempt(&mut body).await? {
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
        let connection = self.connection().await?;
        if let Err(failure) = limits
            .command(&mut connection.wire, "START TRANSACTION")
            .await
        {
            return undone_or_failed(failure);
        }
        let home = Arc::new(Mutex::new(None));
        let transaction = Transaction {
            course: Course {
                wire: connection.wire.take(),
                broken: None,
            },
            limits,
            home: Arc::clone(&home),
        };
        let outcome = body(transaction).await;
        let course = home.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Course { wire, broken }) = course else {
            tracing::error!("a transaction was kept beyond its closure");
            return Err(DatabaseError::Refused);
        };
        connection.wire = wire;
        let wire = &mut connection.wire;
        match (broken, outcome) {
            (None, Ok(value)) => commit(limits, wire, value).await,
            (None, Err(error)) => {
                roll_back(limits, wire).await;
                Ok(Attempt::Done(Err(error)))
            }
            (Some(failure), _) => {
                roll_back(limits, wire).await;
                undone_or_failed(failure)
            }
        }
    }
}

/// How one run of a transaction ended.
enum Attempt<T, E> {
    Done(Result<T, E>),
    /// Nothing of it lasts, for certain.
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
    wire: &mut Wire,
    value: T,
) -> Result<Attempt<T, E>, DatabaseError> {
    let failure = match limits.command(wire, "COMMIT").await {
        Ok(()) => return Ok(Attempt::Done(Ok(value))),
        Err(failure) => failure,
    };
    wire.close().await;
    if failure.is_rolled_back() {
        return Ok(Attempt::Undone(failure));
    }
    tracing::warn!(%failure, "COMMIT failed");
    Err(match failure {
        Failure::NoTime => DatabaseError::OutOfTime,
        _ => DatabaseError::OutcomeUnknown,
    })
}

/// A connection that does not roll back on request is closed, and rolls back by that.
async fn roll_back(limits: Limits, wire: &mut Wire) {
    if wire.is_open() && limits.command(wire, "ROLLBACK").await.is_err() {
        wire.close().await;
    }
}
