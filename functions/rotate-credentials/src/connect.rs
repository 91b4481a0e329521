//! Connections with a given login.

use std::{sync::Arc, time::Duration};

use database::{Database, Login, Session, settings::Settings};
use lambda::{Deadline, clock::SystemClock};

use crate::error::{Result, RotationError};

/// The pauses between two attempts to log in grow from the first to the second of these.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// A login with the pool of one connection that uses it.
pub struct Connected {
    database: Database,
    whose: &'static str,
    deadline: Deadline,
}

impl Connected {
    /// Connects, under the TLS rules of all others. `whose` login it is is said in errors.
    pub async fn once(whose: &'static str, login: &Login, deadline: Deadline) -> Result<Self> {
        Self::within(whose, login, Duration::ZERO, deadline).await
    }

    /// Connects, again and again for as long as `patience`.
    pub async fn within(
        whose: &'static str,
        login: &Login,
        patience: Duration,
        deadline: Deadline,
    ) -> Result<Self> {
        let settings = Settings::of_login(login.clone());
        let settings = settings.map_err(|faults| RotationError::Settings(faults.to_string()))?;
        let connected = Self {
            database: Database::new(settings, Arc::new(SystemClock)),
            whose,
            deadline,
        };
        let patience = deadline.or_after(patience);
        let [mut pause, longest] = PAUSES;
        loop {
            match connected.session().await.map(drop) {
                Ok(()) => return Ok(connected),
                Err(error) if patience.left() < pause => return Err(error),
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = longest.min(2 * pause);
        }
    }

    pub async fn session(&self) -> Result<Session<'_>> {
        let session = self.database.session(self.deadline).await;
        session.map_err(|_| RotationError::Login(self.whose))
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.database.close().await;
    }
}
