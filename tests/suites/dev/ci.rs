//! The scripts in `.ci`, on machines that lack something.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Programs that every machine has.
const USUAL: [&str; 10] = [
    "bash", "chmod", "cmp", "cp", "dirname", "env", "mkdir", "rm", "sh", "uname",
];

/// A checkout with one script, on a machine of its own.
struct Machine(PathBuf);

impl Machine {
    /// The programs are scripts for a shell, by name.
    fn new(name: &str, programs: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ci-{name}"));
        let _ = fs::remove_dir_all(&root);
        let machine = Self(root);
        let path = std::env::var_os("PATH").unwrap();
        for usual in USUAL {
            let mut places = std::env::split_paths(&path).map(|folder| folder.join(usual));
            let program = places.find(|place| place.exists()).unwrap();
            fs::create_dir_all(machine.0.join("bin")).unwrap();
            symlink(program, machine.0.join("bin").join(usual)).unwrap();
        }
        for (program, script) in programs {
            machine.program(&format!("bin/{program}"), script);
        }
        machine
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.0.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn program(&self, file: &str, script: &str) {
        self.write("written", &format!("#!/bin/sh\n{script}\n"));
        self.install(&self.0.join("written"), file);
    }

    /// Another process writes the program: from this one, a test beside it that starts a process
    /// would hand it down open, and nobody could run it.
    fn install(&self, from: &Path, to: &str) {
        let to = self.0.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let mut install = Command::new("install");
        let installed = install.args(["-m", "755"]).args([from, &to]).status();
        assert!(installed.unwrap().success());
    }

    /// Runs the script of this name.
    fn run(&self, script: &str) -> Output {
        let own = format!(".ci/{script}");
        self.install(&tests::root().join(&own), &own);
        let mut run = Command::new(self.0.join(own));
        run.env_clear().env("PATH", self.0.join("bin"));
        run.current_dir(&self.0).output().unwrap()
    }

    /// What its programs have written down.
    fn notes(&self) -> String {
        fs::read_to_string(self.0.join("notes")).unwrap_or_default()
    }
}

fn errors(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn packages_are_installed_without_removing_others() {
    let apt = "echo \"$@\" >>notes; [ \"$1\" != install ] || exit 100";
    let there = ["cc", "python3", "debootstrap"];
    let mut programs = vec![("apt-get", apt), ("id", "echo 0")];
    programs.extend(there.map(|program| (program, "")));
    let machine = Machine::new("packages", &programs);
    let output = machine.run("packages");
    assert!(!output.status.success());
    let installed = machine.notes();
    let installed = installed.lines().last().unwrap();
    assert!(installed.contains(" --no-remove "), "{installed}");
    for package in ["procps", "mariadb-server-core"] {
        assert!(installed.contains(package), "{installed}");
    }
    let said = errors(&output);
    assert!(said.contains("could not be installed"), "{said}");
    assert!(said.contains("in a container"), "{said}");
}

#[test]
fn a_sudo_that_asks_for_a_password_is_reported_before_anything_is_fetched() {
    let note = "echo \"$0\" >>notes";
    let programs = [
        ("id", "echo 1000"),
        ("sudo", "echo 'sudo: a password is required' >&2; exit 1"),
        ("debootstrap", note),
        ("sleep", note),
    ];
    let machine = Machine::new("mysql", &programs);
    let output = machine.run("mysql");
    assert!(!output.status.success());
    assert_eq!(machine.notes(), "");
    let said = errors(&output);
    assert!(said.contains("a sudo that asks no password"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn tools_that_fail_to_start_are_installed_again() {
    let make = "[ \"$1\" = -m ] || exit 0
        echo made >>notes; rm -rf target/tools/venv; mkdir -p target/tools/venv/bin
        for program in python moto_server; do
            echo '#!/bin/sh' >target/tools/venv/bin/$program
            chmod +x target/tools/venv/bin/$program
        done";
    let machine = Machine::new("tools", &[("python3", make)]);
    for pins in ["tests/requirements.txt", "target/tools/installed.txt"] {
        machine.write(pins, "moto==1\n");
    }
    machine.program("target/tools/venv/bin/moto_server", "exit 1");
    for _ in 0..2 {
        let output = machine.run("tools");
        assert!(output.status.success(), "{}", errors(&output));
        assert_eq!(machine.notes(), "made\n");
    }
}
