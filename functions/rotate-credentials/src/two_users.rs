//! Two users of any MySQL or MariaDB that take turns, as in AWS's rotation functions for several
//! users: `orders` and `orders_clone`. The one that is not in use gets a new password and the rights
//! of the other. So the present login works until the next rotation.

use std::{sync::Arc, time::Duration};

use database::{DefinitionError, Login, Session, Statement};
use lambda::{Deadline, clock::SystemClock};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use secrets::{
    KeptSecret,
    versions::{CURRENT, PENDING},
};

use crate::{
    connect::Connected,
    error::{Result, RotationError},
    version::{Administrator, Version},
};

/// What the second user's name ends with.
const CLONE: &str = "_clone";

/// The characters of a password. None of them means anything in SQL.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A password begins with this, for servers that ask for a character of each kind.
const EACH_KIND: &str = "Aa1-";

/// The number of random characters that follow.
const LENGTH: usize = 40;

/// The longest wait for the administrator's secret.
const SECRET_LIMIT: Duration = Duration::from_secs(5);

const CURRENT_USER: Statement = Statement::read("CURRENT_USER", "SELECT CURRENT_USER()", "");
const GRANTS: Statement = Statement::idempotent_write("GRANTS", "SHOW GRANTS FOR CURRENT_USER()");
const TLS: Statement = Statement::read(
    "TLS",
    "SELECT ssl_type FROM mysql.user WHERE User = ? AND Host = ?",
    "",
);

/// MySQL's and MariaDB's number for CREATE USER with a user that there is.
const CANNOT_USER: u16 = 1396;

/// The user whose turn it is next.
pub fn other(username: &str) -> String {
    match username.strip_suffix(CLONE) {
        Some(first) => first.to_owned(),
        None => format!("{username}{CLONE}"),
    }
}

/// A new random password.
pub fn new_password() -> Result<SecretString> {
    let mut random = [0_u8; LENGTH];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map_err(|_| RotationError::NoRandom)?;
    let letters = random
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 64)));
    let letters: String = letters.copied().map(char::from).collect();
    Ok(format!("{EACH_KIND}{letters}").into())
}

/// Makes the pending login work, with the rights of the current one. An administrator does it, by
/// the secret that the current version names.
pub async fn set(current: &Version, pending: &Version, deadline: Deadline) -> Result<()> {
    let (now, new) = (&current.login, &pending.login);
    if new.username != other(&now.username) {
        return Err(RotationError::Secret {
            stage: PENDING,
            reason: "it is not for the other of the two users".to_owned(),
        });
    }
    let (account, grants) = rights_of("present", now, deadline).await?;
    let new_account = Account {
        user: new.username.clone(),
        host: account.host.clone(),
    };
    let has = match rights_of("new", new, deadline).await {
        Ok((_, has)) => Some(has),
        Err(RotationError::Login(_)) => None,
        Err(error) => return Err(error),
    };
    let is_missing = |grant: &&String| !has.as_ref().is_some_and(|has| has.contains(grant));
    let missing: Vec<&String> = grants.iter().filter(is_missing).collect();
    if has.is_some() && missing.is_empty() {
        return Ok(());
    }

    let administrator = administrator(current).await?;
    let connected = Connected::once("administrator's", &administrator, deadline).await?;
    let mut session = connected.session().await?;
    if has.is_none() {
        let tls = requirement(&mut session, &account).await?;
        let identity = format!(
            "USER {} IDENTIFIED BY '{}' REQUIRE {tls}",
            new_account.quoted()?,
            new.password.expose_secret()
        );
        identify(&mut session, &identity).await?;
    }
    for grant in missing {
        let grant = grant.replace(ANYBODY, &new_account.quoted()?);
        let granted = session.define(&grant).await;
        granted.map_err(RotationError::of_statement("to copy a grant"))?;
    }
    drop(session);
    connected.close().await;
    Ok(())
}

/// Whether the pending user has every right of the current one.
pub async fn compare(current: &Login, pending: &Login, deadline: Deadline) -> Result<()> {
    let (_, should_have) = rights_of("present", current, deadline).await?;
    let (_, has) = rights_of("new", pending, deadline).await?;
    match should_have.iter().find(|grant| !has.contains(grant)) {
        None => Ok(()),
        Some(missing) => Err(RotationError::Rights(format!("it lacks {missing}"))),
    }
}

/// The login of the administrator whose secret the current version names.
async fn administrator(current: &Version) -> Result<Login> {
    let id = current.administrators_secret();
    let id = id.map_err(RotationError::of_secret(CURRENT))?.to_owned();
    let secret = KeptSecret::<Administrator>::of_secret(id, SECRET_LIMIT, Arc::new(SystemClock));
    let read = secret.current(SECRET_LIMIT).await;
    let Administrator { username, password } = &*read.map_err(RotationError::Administrator)?.value;
    Ok(Login {
        username: username.clone(),
        password: password.clone(),
        ..current.login.clone()
    })
}

/// Creates the user, or gives it the password if there is one.
async fn identify(session: &mut Session<'_>, identity: &str) -> Result<()> {
    let identified = match session.define(&format!("CREATE {identity}")).await {
        Err(DefinitionError::Refused {
            code: CANNOT_USER, ..
        }) => session.define(&format!("ALTER {identity}")).await,
        created => created,
    };
    identified.map_err(RotationError::of_statement("to set a password"))
}

/// What a user's connections must be like.
async fn requirement(session: &mut Session<'_>, account: &Account) -> Result<&'static str> {
    let params = (&account.user, &account.host);
    let tls: Option<String> = session.row(&TLS, params).await?;
    match tls.as_deref().unwrap_or_default() {
        "" => Ok("NONE"),
        "ANY" => Ok("SSL"),
        _ => Err(RotationError::Secret {
            stage: CURRENT,
            reason: "its user must show a certificate or use one cipher, which is not supported"
                .to_owned(),
        }),
    }
}

/// What stands in a grant for the account that it is for.
const ANYBODY: &str = "'?'@'?'";

/// The account of a login at the server, and its grants, with [`ANYBODY`] in place of the account.
async fn rights_of(
    whose: &'static str,
    login: &Login,
    deadline: Deadline,
) -> Result<(Account, Vec<String>)> {
    let connected = Connected::once(whose, login, deadline).await?;
    let mut session = connected.session().await?;
    let account: Option<String> = session.row(&CURRENT_USER, ()).await?;
    let account = Account::parse(&account.unwrap_or_default());
    let grants: Vec<String> = session.rows(&GRANTS, ()).await?;
    let grants = grants.iter().map(|grant| of_anybody(grant, &account));
    let grants = grants.collect();
    drop(session);
    connected.close().await;
    Ok((account, grants))
}

/// A user and the host that it may come from.
struct Account {
    user: String,
    host: String,
}

impl Account {
    /// Reads `user@host`.
    fn parse(text: &str) -> Self {
        let (user, host) = text.rsplit_once('@').unwrap_or((text, "%"));
        Self {
            user: user.to_owned(),
            host: host.to_owned(),
        }
    }

    /// As it stands in a statement.
    fn quoted(&self) -> Result<String> {
        let Self { user, host } = self;
        let is_plain = |text: &String| !text.contains(['\'', '"', '`', '\\']);
        match is_plain(user) && is_plain(host) {
            true => Ok(format!("'{user}'@'{host}'")),
            false => Err(RotationError::Secret {
                stage: CURRENT,
                reason: "its user's name has quotes or backslashes in it".to_owned(),
            }),
        }
    }
}

/// A line of SHOW GRANTS without the account. What MariaDB adds about the password and TLS is left
/// out.
fn of_anybody(grant: &str, account: &Account) -> String {
    let Account { user, host } = account;
    let split = ['`', '\'', '"']
        .into_iter()
        .find_map(|quote| grant.rsplit_once(&format!("{quote}{user}{quote}@{quote}{host}{quote}")));
    let Some((before, after)) = split else {
        return grant.to_owned();
    };
    let options = [" WITH GRANT OPTION", " WITH ADMIN OPTION"];
    let option = options.into_iter().find(|option| after.contains(option));
    format!("{before}{ANYBODY}{}", option.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_take_turns() {
        assert_eq!(other("orders"), "orders_clone");
        assert_eq!(other(&other("orders")), "orders");
    }

    #[test]
    fn passwords_have_no_character_that_means_something_in_sql_and_differ() {
        let passwords = [new_password().unwrap(), new_password().unwrap()];
        let [one, other] = passwords.each_ref().map(|one| one.expose_secret());
        assert_ne!(one, other);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        assert!(one.len() == 44 && one.chars().all(plain));
    }

    #[test]
    fn grants_of_each_server_lose_their_account_and_what_belongs_to_it() {
        let account = Account::parse("app@%");
        for (grant, expected) in [
            (
                "GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*AB12' REQUIRE SSL",
                "GRANT USAGE ON *.* TO '?'@'?'",
            ),
            (
                "GRANT SELECT ON `a TO b`.* TO `app`@`%` WITH GRANT OPTION",
                "GRANT SELECT ON `a TO b`.* TO '?'@'?' WITH GRANT OPTION",
            ),
            (
                "GRANT `reader`@`%` TO \"app\"@\"%\" WITH ADMIN OPTION",
                "GRANT `reader`@`%` TO '?'@'?' WITH ADMIN OPTION",
            ),
            (
                "SET DEFAULT ROLE `reader` FOR `app`@`%`",
                "SET DEFAULT ROLE `reader` FOR '?'@'?'",
            ),
        ] {
            assert_eq!(of_anybody(grant, &account), expected);
        }
    }
}
