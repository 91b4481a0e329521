//! Ctrl-C while `cargo dev` still starts.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command::{PATIENCE, cargo_dev, moment, relative};

#[test]
fn it_stops_while_another_run_installs_the_tools() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dev-interrupted");
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(&tools).unwrap();
    let other_run = File::create(tools.join("lock")).unwrap();
    other_run.lock().unwrap();

    // It does not look for the tools there where it finds them on the PATH.
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::split_paths(&path).filter(|place| !place.join("moto_server").exists());
    let output = File::create(folder.join("output")).unwrap();
    let mut test = cargo_dev()
        .args(["test", "--folder", relative(&folder)])
        .env("PATH", std::env::join_paths(path).unwrap())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap();
    let said = || fs::read_to_string(folder.join("output")).unwrap();
    while !said().contains("another run is using target/tools") {
        assert_eq!(test.try_wait().unwrap(), None, "{}", said());
        moment();
    }
    kill(Pid::from_raw(test.id() as i32), Signal::SIGINT).unwrap();
    let asked = Instant::now();
    while test.try_wait().unwrap().is_none() {
        if asked.elapsed() > PATIENCE {
            test.kill().unwrap();
            panic!("it does not stop: {}", said());
        }
        moment();
    }
    assert!(!test.wait().unwrap().success());
    let said = said();
    assert!(
        said.contains("stopped before the tests had ended"),
        "{said}"
    );
}
