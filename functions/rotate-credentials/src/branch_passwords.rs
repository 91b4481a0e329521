//! The passwords of the production branch on PlanetScale.
//!
//! The name of a password that this function makes has the end of the secret's ARN and the id of
//! the version in it. So a later run knows which passwords it may delete.

use lambda::Deadline;
use planetscale::{ApiError, Calls, NewPassword, Password, PlanetScale};

use crate::error::{Result, RotationError};

/// What the names of the passwords begin with.
const PREFIX: &str = "rotate-credentials";

/// How often a password is made when the answer is lost.
const ATTEMPTS: usize = 3;

/// The branch's passwords, for one secret.
pub struct BranchPasswords {
    planetscale: &'static PlanetScale,
    deadline: Deadline,
    prefix: String,
}

impl BranchPasswords {
    pub fn new(planetscale: &'static PlanetScale, secret_arn: &str, deadline: Deadline) -> Self {
        // Secrets Manager ends the ARN with six random characters.
        let (_, end) = secret_arn.rsplit_once('-').unwrap_or(("", secret_arn));
        Self {
            planetscale,
            deadline,
            prefix: format!("{PREFIX}-{end}-"),
        }
    }

    /// The password with this username.
    pub async fn find(&self, username: &str) -> Result<Password> {
        self.of_username(self.all().await?, username)
    }

    /// Makes a password like the one with the username `present`, for this version of the secret.
    /// One that an earlier run has made for it is deleted, because nobody knows its text.
    pub async fn create(&self, present: &str, version: &str) -> Result<Password> {
        let name = format!("{}{version}", self.prefix);
        let mut attempts = 1..=ATTEMPTS;
        loop {
            let passwords = self.all().await?;
            let left = |password: &&Password| password.name == name && password.username != present;
            for password in passwords.iter().filter(left) {
                self.delete(password).await?;
            }
            let present = self.of_username(passwords, present)?;
            let new = NewPassword {
                name: name.clone(),
                role: present.role,
                ttl: None,
                connecting: present.connecting,
            };
            attempts.next();
            match self.api().create_password(self.branch(), &new).await {
                Err(ApiError::OutcomeUnknown { .. }) if !attempts.is_empty() => {}
                made => return Ok(made?),
            }
        }
    }

    /// Deletes a password, which may be gone already.
    pub async fn delete(&self, password: &Password) -> Result<()> {
        let api = self.api();
        Ok(api.delete_password(self.branch(), &password.id).await?)
    }

    /// Deletes what this function made before the password with the username `current`, except the
    /// one with the username `previous`. Returns their names.
    pub async fn delete_older(&self, current: &str, previous: &str) -> Result<Vec<String>> {
        let passwords = self.all().await?;
        let Some(newest) = passwords.iter().find(|one| one.username == current) else {
            return Ok(Vec::new());
        };
        let is_old = |password: &&Password| {
            password.name.starts_with(&self.prefix)
                && password.created_at < newest.created_at
                && password.username != previous
        };
        let mut deleted = Vec::new();
        for password in passwords.iter().filter(is_old) {
            self.delete(password).await?;
            deleted.push(password.name.clone());
        }
        Ok(deleted)
    }

    async fn all(&self) -> Result<Vec<Password>> {
        Ok(self.api().passwords(self.branch()).await?)
    }

    fn of_username(&self, passwords: Vec<Password>, username: &str) -> Result<Password> {
        let mut passwords = passwords.into_iter();
        let found = passwords.find(|password| password.username == username);
        found.ok_or_else(|| RotationError::PasswordUnknown {
            branch: self.branch().to_owned(),
        })
    }

    fn branch(&self) -> &'static str {
        self.planetscale.production_branch()
    }

    fn api(&self) -> Calls<'static> {
        self.planetscale.until(self.deadline)
    }
}
