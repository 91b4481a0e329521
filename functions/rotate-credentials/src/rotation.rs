//! The four steps. Each looks first at what is done already.

use std::time::Duration;

use lambda::Deadline;
use planetscale::Password;
use secrecy::SecretString;
use secrets::versions::{CURRENT, Description, PENDING, PREVIOUS, SecretVersions, VersionError};

use crate::{
    branch_passwords::BranchPasswords,
    connect::Connected,
    error::{Result, RotationError},
    event::{Event, Step},
    rights,
    server::Server,
    two_users,
    version::Version,
};

/// How long a new login may take until it works, and how long it is tried again once it did.
const UNTIL_IT_WORKS: Duration = Duration::from_secs(30);
const ONCE_IT_WORKED: Duration = Duration::from_secs(5);

/// Carries out a step, and says what it did.
pub async fn carry_out(event: Event, server: Server, deadline: Deadline) -> Result<String> {
    let secret = SecretVersions::of(event.secret_id);
    let description = secret.describe().await?;
    let version = event.client_request_token;
    if !description.rotation_enabled {
        return Err(RotationError::NotEnabled);
    }
    let is_current = description.is_at(&version, CURRENT);
    if !is_current && !description.is_at(&version, PENDING) {
        return Err(RotationError::NotPending(version));
    }
    let rotation = Rotation {
        logins: match server {
            Server::PlanetScale(planetscale) => Logins::Branch(BranchPasswords::new(
                planetscale,
                &description.arn,
                deadline,
            )),
            Server::Other => Logins::TwoUsers,
        },
        secret,
        description,
        version,
        rotation_token: event.rotation_token,
        deadline,
    };
    match event.step {
        Step::Finish if is_current => rotation.clean_up(PREVIOUS).await,
        _ if is_current => Ok("nothing: the version is AWSCURRENT already".to_owned()),
        Step::Create => rotation.create().await,
        Step::Set => rotation.set().await,
        Step::Test => rotation.test().await,
        Step::Finish => rotation.finish().await,
    }
}

/// A rotation under way.
struct Rotation {
    secret: SecretVersions,
    description: Description,
    /// The id of the version that it makes.
    version: String,
    rotation_token: Option<SecretString>,
    logins: Logins,
    deadline: Deadline,
}

/// Where the new logins come from.
enum Logins {
    Branch(BranchPasswords),
    TwoUsers,
}

impl Rotation {
    /// Makes a new login and stores it as AWSPENDING.
    async fn create(&self) -> Result<String> {
        if self.secret.read(&self.version).await?.is_some() {
            return Ok("nothing: AWSPENDING is stored already".to_owned());
        }
        let current = self.at(CURRENT).await?;
        match &self.logins {
            Logins::Branch(passwords) => {
                let present = &current.login.username;
                let made = passwords.create(present, &self.version).await?;
                let Some(text) = &made.plain_text else {
                    passwords.delete(&made).await?;
                    return Err(RotationError::NoPassword);
                };
                let secret = current.with_login(&made.username, text);
                self.store_or_delete(&secret, &made, passwords).await?;
                Ok(format!(
                    "made the password `{}` with the role `{}` and stored it as AWSPENDING",
                    made.name, made.role
                ))
            }
            Logins::TwoUsers => {
                let user = two_users::other(&current.login.username);
                let secret = current.with_login(&user, &two_users::new_password()?);
                self.store(&secret).await?;
                Ok(format!("stored a new password for `{user}` as AWSPENDING"))
            }
        }
    }

    async fn store(&self, secret: &SecretString) -> Result<(), VersionError> {
        let token = self.rotation_token.as_ref();
        self.secret
            .store_pending(&self.version, secret, token)
            .await
    }

    /// Stores the version, or deletes the password if it is not stored. Where Secrets Manager does
    /// not say whether it is, the password stays: it may be in use soon, and otherwise the next run
    /// deletes it.
    async fn store_or_delete(
        &self,
        secret: &SecretString,
        made: &Password,
        passwords: &BranchPasswords,
    ) -> Result<()> {
        let Err(error) = self.store(secret).await else {
            return Ok(());
        };
        if let VersionError::Unavailable { .. } = error {
            match self.secret.read(&self.version).await {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {}
                Err(_) => return Err(error.into()),
            }
        }
        passwords.delete(made).await?;
        Err(error.into())
    }

    /// Waits until the new login works, and makes it work where that is up to us.
    async fn set(&self) -> Result<String> {
        let current = self.at(CURRENT).await?;
        let pending = self.pending_like(&current).await?;
        if let Logins::TwoUsers = self.logins {
            two_users::set(&current, &pending, self.deadline).await?;
        }
        let connected = self.connect(&pending, UNTIL_IT_WORKS).await?;
        connected.close().await;
        Ok("logged in with AWSPENDING".to_owned())
    }

    /// Does with the new login what it should be allowed to do.
    async fn test(&self) -> Result<String> {
        let pending = self.pending().await?;
        let connected = self.connect(&pending, ONCE_IT_WORKED).await?;
        let tested = match &self.logins {
            Logins::Branch(passwords) => {
                let password = passwords.find(&pending.login.username).await?;
                rights::prove(&mut connected.session().await?, &password).await?;
                format!("AWSPENDING may do what the role `{}` allows", password.role)
            }
            Logins::TwoUsers => {
                let current = self.at(CURRENT).await?;
                two_users::compare(&current.login, &pending.login, self.deadline).await?;
                "AWSPENDING has every right that AWSCURRENT has".to_owned()
            }
        };
        connected.close().await;
        Ok(tested)
    }

    /// Makes the new login the current one, unless it does not work: a step before may be missing.
    async fn finish(&self) -> Result<String> {
        let pending = self.pending_like(&self.at(CURRENT).await?).await?;
        let connected = self.connect(&pending, ONCE_IT_WORKED).await?;
        connected.close().await;
        let current = self.description.version_at(CURRENT).unwrap_or_default();
        if let Err(error) = self.secret.make_current(&self.version, current).await {
            // The answer may have been lost.
            let description = self.secret.describe().await;
            if !description.is_ok_and(|now| now.is_at(&self.version, CURRENT)) {
                return Err(error.into());
            }
        }
        self.clean_up(CURRENT).await
    }

    /// Deletes the passwords of earlier rotations, when this version is current. The version before
    /// it had the stage `before` when the step began. Functions may use its password for a while.
    async fn clean_up(&self, before: &'static str) -> Result<String> {
        const DONE: &str = "the new login is AWSCURRENT";
        let Logins::Branch(passwords) = &self.logins else {
            return Ok(DONE.to_owned());
        };
        let previous = match self.description.version_at(before) {
            Some(_) => self.at(before).await?.login.username,
            None => String::new(),
        };
        let current = self.pending().await?.login.username;
        let deleted = passwords.delete_older(&current, &previous).await?;
        Ok(match deleted.as_slice() {
            [] => format!("{DONE}; no password is older than AWSPREVIOUS"),
            names => format!("{DONE}; deleted the older {}", names.join(", ")),
        })
    }

    /// Logs in with the new login.
    async fn connect(&self, pending: &Version, patience: Duration) -> Result<Connected> {
        let connected = Connected::within("new", &pending.login, patience, self.deadline).await;
        if let (Err(_), Logins::Branch(passwords)) = (&connected, &self.logins)
            && let Err(RotationError::PasswordUnknown { .. }) =
                passwords.find(&pending.login.username).await
        {
            return Err(RotationError::PasswordGone(self.version.clone()));
        }
        connected
    }

    /// The version that this rotation makes.
    async fn pending(&self) -> Result<Version> {
        let text = self.secret.read(&self.version).await?;
        let text = text.ok_or(RotationError::NotCreated)?;
        Version::parse(&text).map_err(RotationError::of_secret(PENDING))
    }

    /// The version that this rotation makes, if it still has what the current one has. Secrets Manager
    /// may repeat a rotation for days, and somebody may have stored another host meanwhile.
    async fn pending_like(&self, current: &Version) -> Result<Version> {
        let pending = self.pending().await?;
        match pending.is_like(current) {
            true => Ok(pending),
            false => Err(RotationError::SecretChanged(self.version.clone())),
        }
    }

    /// The version that had this stage when the step began.
    async fn at(&self, stage: &'static str) -> Result<Version> {
        let unfit = |reason: &str| RotationError::Secret {
            stage,
            reason: reason.to_owned(),
        };
        let version = self.description.version_at(stage);
        let version = version.ok_or_else(|| unfit("there is none"))?;
        let text = self.secret.read(version).await?;
        let text = text.ok_or_else(|| unfit("it is empty"))?;
        Version::parse(&text).map_err(RotationError::of_secret(stage))
    }
}
