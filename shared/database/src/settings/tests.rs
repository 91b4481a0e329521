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
fn one_message_names_every_fault_and_no_value() {
    let faults = read(&[
        ("DATABASE_URL", "mysql://root:hunter2@/orders"),
        ("DATABASE_POOL_MAX", "0"),
        ("DATABASE_PING_TIMEOUT_MS", "soon"),
        ("DATABASE_MAX_AGE_MS", "-5"),
        ("DATABASE_CA_FILE", "/nowhere/ca.pem"),
    ])
    .unwrap_err()
    .to_string();
    for name in [
        "DATABASE_URL",
        "DATABASE_POOL_MAX",
        "DATABASE_PING_TIMEOUT_MS",
        "DATABASE_MAX_AGE_MS",
        "DATABASE_CA_FILE",
    ] {
        assert!(faults.contains(name), "{name} is missing in: {faults}");
    }
    for value in ["hunter2", "soon", "/nowhere"] {
        assert!(!faults.contains(value), "{value} stands in: {faults}");
    }
}

#[test]
fn without_any_login_both_ways_to_give_one_are_named() {
    let faults = read(&[]).unwrap_err().to_string();
    assert!(faults.contains("DATABASE_SECRET_ID"), "{faults}");
    assert!(faults.contains("DATABASE_URL"), "{faults}");
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
fn a_number_out_of_its_bounds_is_a_fault_and_its_bounds_are_told() {
    for (variable, value, told) in [
        ("DATABASE_POOL_MAX", "0", "from 1 to 999"),
        ("DATABASE_POOL_MAX", "1000", "from 1 to 999"),
        ("DATABASE_POOL_MAX", "18446744073709551615", "from 1 to 999"),
        (
            "DATABASE_MAX_IDLE_MS",
            "86400001",
            "of milliseconds from 1 to 86400000",
        ),
    ] {
        let read = read(&[("DATABASE_SECRET_ID", "orders"), (variable, value)]);
        let faults = read.unwrap_err().to_string();
        let whole = format!("{variable} must be a whole number");
        assert!(faults.contains(&whole) && faults.contains(told), "{faults}");
    }
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
fn a_ca_file_must_hold_a_certificate() {
    let file = std::env::temp_dir().join(format!("no-certificate-{}.pem", std::process::id()));
    std::fs::write(&file, "-----BEGIN NOTHING-----\n-----END NOTHING-----\n").unwrap();
    let faults = read(&[
        ("DATABASE_SECRET_ID", "orders"),
        ("DATABASE_CA_FILE", file.to_str().unwrap()),
    ])
    .unwrap_err()
    .to_string();
    std::fs::remove_file(&file).unwrap();
    assert!(faults.contains("without a PEM certificate"), "{faults}");
}

#[test]
fn no_debug_shows_a_password() {
    let settings = read(&[("DATABASE_URL", "mysql://a:hunter2@localhost/orders")]).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}
