//! What a program that the stack starts gets of this process' environment.

use std::ffi::OsStr;
use std::process::Stdio;

use tokio::process::Command;

/// Describes a program to start: it gets nothing of this process' settings that could lead it, or
/// the functions, to another database or to a real AWS account, and nothing that `cargo run`
/// added, which would make cargo build some dependencies again. It calls this machine without the
/// proxy that the internet may take.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    // A program in the background that reads from the terminal would be stopped.
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if is_ours_alone(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    // Some programs read the one, some the other, and some look for the first that is set.
    for name in ["no_proxy", "NO_PROXY"] {
        let others = std::env::var(name).unwrap_or_default();
        command.env(name, without_proxy(&others));
    }
    command
}

/// The hosts that no proxy is asked for: `others`, and this machine.
fn without_proxy(others: &str) -> String {
    let this_machine = ["127.0.0.1", "localhost", "::1"];
    let others = others.split(',').map(str::trim);
    let hosts = others.filter(|host| !host.is_empty() && !this_machine.contains(host));
    hosts.chain(this_machine).collect::<Vec<_>>().join(",")
}

fn is_ours_alone(variable: &str) -> bool {
    const FROM_CARGO: [&str; 6] = [
        "CARGO",
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PRIMARY_PACKAGE",
    ];
    const SETTINGS: [&str; 5] = [
        "AWS_",
        "CARGO_LAMBDA_",
        "CARGO_PKG_",
        "DATABASE_",
        "PLANETSCALE_",
    ];
    FROM_CARGO.contains(&variable) || SETTINGS.iter().any(|prefix| variable.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_called_without_a_proxy() {
        let this_machine = "127.0.0.1,localhost,::1";
        assert_eq!(without_proxy(""), this_machine);
        assert_eq!(without_proxy(this_machine), this_machine);
        assert_eq!(
            without_proxy(".corp.example, localhost"),
            format!(".corp.example,{this_machine}")
        );
        let command = command("true");
        for variable in ["no_proxy", "NO_PROXY"] {
            let mut set = command.as_std().get_envs();
            let (_, hosts) = set.find(|(name, _)| *name == variable).unwrap();
            let hosts = hosts.unwrap().to_str().unwrap();
            assert!(hosts.ends_with(this_machine), "{hosts}");
        }
    }
}
