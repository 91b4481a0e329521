use secrecy::ExposeSecret;

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Settings, Faults> {
    Settings::read(|name| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

fn login(url: &str) -> Login {
    match read(&[("DATABASE_URL", url)]).unwrap().login {
        LoginSource::Fixed(login) => login,
        LoginSource::Secret { .. } => panic!("no secret was named"),
    }
}

#[test]
fn space_around_a_value_does_not_count_and_nothing_else_is_not_set() {
    let settings = read(&[
        ("DATABASE_SECRET_ID", " orders\n"),
        ("DATABASE_POOL_MAX", ""),
        ("DATABASE_MAX_IDLE_MS", " "),
    ])
    .unwrap();
    assert!(matches!(settings.login, LoginSource::Secret { id, .. } if id == "orders"));
    assert_eq!(settings.pool.max.get(), 2);
    assert_eq!(settings.pool.max_idle, Duration::from_secs(240));
}

#[test]
fn the_secret_goes_before_the_url() {
    let settings = read(&[
        ("DATABASE_SECRET_ID", "orders"),
        ("DATABASE_URL", "mysql://a:b@localhost/orders"),
    ])
    .unwrap();
    assert!(matches!(settings.login, LoginSource::Secret { id, .. } if id == "orders"));
}

#[test]
fn the_bound_follows_the_concurrency_of_the_process() {
    let max = |concurrency: &str, max: &str| {
        read(&[
            ("DATABASE_SECRET_ID", "orders"),
            ("AWS_LAMBDA_MAX_CONCURRENCY", concurrency),
            ("DATABASE_POOL_MAX", max),
        ])
        .unwrap()
        .pool
        .max
        .get()
    };
    assert_eq!(max("", ""), 2);
    assert_eq!(max("1", ""), 2);
    assert_eq!(max("4", ""), 4);
    assert_eq!(max("64", ""), 10);
    assert_eq!(max("64", "40"), 40);
}

#[test]
fn a_url_is_decoded() {
    let login = login("mysql://app%40eu:p%2Fw%3A%23@db.example:3307/orders?sslaccept=strict");
    assert_eq!(login.host, "db.example");
    assert_eq!(login.port, 3307);
    assert_eq!(login.username, "app@eu");
    assert_eq!(login.password.expose_secret(), "p/w:#");
    assert_eq!(login.database, "orders");
}

#[test]
fn a_url_may_leave_out_the_port_and_give_an_ipv6_host() {
    let login = login("mysql://app:secret@[::1]/orders/ ");
    assert_eq!(login.host, "::1");
    assert_eq!(login.port, 3306);
    assert_eq!(login.database, "orders");
}

#[test]
fn a_url_that_will_not_do_is_refused_with_its_reason() {
    for (url, reason) in [
        ("not a url", "must be a URL"),
        ("postgres://a:b@localhost/orders", "mysql://"),
        ("mysql://a@localhost/orders", "password"),
        ("mysql://localhost/orders", "user"),
        ("mysql://a:%ff@localhost/orders", "UTF-8"),
        ("mysql://a:b@localhost", "names no database"),
        ("mysql://a:b@localhost/", "names no database"),
        ("mysql://%20:b@localhost/orders", "names no user"),
        ("mysql://a:%20@localhost/orders", "password"),
        ("mysql://a:b@db%3A3306/orders", "host"),
    ] {
        let faults = read(&[("DATABASE_URL", url)]).unwrap_err().to_string();
        assert!(faults.contains(reason), "{url}: {faults}");
    }
}

#[test]
fn no_debug_shows_a_password() {
    let settings = read(&[("DATABASE_URL", "mysql://a:hunter2@localhost/orders")]).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}
