//! What needs Vitess, on a machine that can't build it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::command::{cargo_dev, relative};

/// The PATH of this process, on which there is no Go.
fn path_without_go(folder: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::env::split_paths(&path).enumerate().map(|(at, place)| {
        if !place.join("go").exists() {
            return place;
        }
        // What else is there may be needed.
        let others = folder.join(at.to_string());
        fs::create_dir_all(&others).unwrap();
        for program in fs::read_dir(&place).unwrap() {
            let program = program.unwrap();
            if program.file_name() != "go" {
                symlink(program.path(), others.join(program.file_name())).unwrap();
            }
        }
        others
    });
    std::env::join_paths(folders).unwrap()
}

#[test]
fn without_go_it_says_what_to_do() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dev-without-go");
    let _ = fs::remove_dir_all(&folder);
    let path = path_without_go(&folder.join("bin"));
    for arguments in [
        &["--vitess"][..],
        &["test", "--vitess"],
        &["test", "--vitess-cluster"],
    ] {
        let mut without_go = cargo_dev();
        without_go.args(arguments).env("PATH", &path);
        without_go.args(["--folder", relative(&folder)]);
        let output = without_go.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("install Go"), "{said}");
        assert!(said.contains("cargo dev test --url"), "{said}");
    }
}
