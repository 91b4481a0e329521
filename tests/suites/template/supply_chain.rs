//! The crates that no dependency may bring in, and the pins of the Python packages.

use crate::document::text;

/// The names of all locked packages, including those of the tests.
fn locked() -> Vec<String> {
    text("Cargo.lock")
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .collect()
}

/// The crates that `deny.toml` bans.
fn banned() -> Vec<String> {
    text("deny.toml")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_python_packages_are_those_that_are_asked_for_with_their_hashes() {
    let locked = text("tests/requirements.txt");
    let asked = text("tests/requirements.in");
    for pin in asked.lines().filter(|line| !line.starts_with('#')) {
        let (package, version) = pin.split_once("==").unwrap();
        let package = package.split('[').next().unwrap();
        let line = format!("\n{package}=={version} \\\n    --hash=sha256:");
        assert!(locked.contains(&line), "{pin}");
    }
}

#[test]
fn ring_is_the_one_tls_provider() {
    let locked = locked();
    let banned = banned();
    assert!(banned.contains(&"aws-lc-rs".to_owned()), "{banned:?}");
    for name in banned {
        assert!(
            !locked.contains(&name),
            "{name} is locked; `cargo tree --workspace --target all --invert {name}` says which crate needs it"
        );
    }
    for name in ["ring", "rustls"] {
        let versions = locked.iter().filter(|locked| *locked == name).count();
        assert_eq!(versions, 1, "versions of {name}");
    }
}
