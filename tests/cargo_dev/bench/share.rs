//! The share of a core that Lambda gives to a function with 256 MB, by a cgroup.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;

/// Lambda gives a whole core at 1769 MB ("Configure Lambda function memory"), in periods of 20 ms.
const PERIOD: &str = "20000";
const QUOTA: &str = "2900";

/// How this machine's cgroups limit a process.
#[derive(Debug, Clone, Copy)]
pub enum Share {
    /// One hierarchy for everything (`cpu.max`).
    V2,
    /// A hierarchy for the CPU alone (`cpu.cfs_quota_us`).
    V1,
}

impl Share {
    /// The way that works here, if one does: it takes root, or a container that may.
    pub fn find() -> Option<Self> {
        [Self::V2, Self::V1]
            .into_iter()
            .find(|share| share.cgroup().is_ok())
    }

    /// A new cgroup with the share.
    pub fn cgroup(&self) -> anyhow::Result<Cgroup> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cargo-dev-bench-{}-{count}", std::process::id());
        let (parent, limits) = match self {
            Self::V2 => (
                "/sys/fs/cgroup",
                vec![("cpu.max", format!("{QUOTA} {PERIOD}"))],
            ),
            Self::V1 => (
                "/sys/fs/cgroup/cpu",
                vec![
                    ("cpu.cfs_period_us", PERIOD.to_owned()),
                    ("cpu.cfs_quota_us", QUOTA.to_owned()),
                ],
            ),
        };
        let folder = Path::new(parent).join(name);
        fs::create_dir(&folder).context("cgroups can't be made")?;
        let cgroup = Cgroup(folder);
        for (file, limit) in limits {
            // Opened without creating it: on another kind of file system it must fail.
            let mut limited = fs::File::options().write(true).open(cgroup.0.join(file))?;
            limited.write_all(limit.as_bytes())?;
        }
        Ok(cgroup)
    }
}

/// A cgroup, which is removed with this value.
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// A command that runs the program in it from its first instruction: a shell enters it and
    /// becomes the program.
    pub fn command(&self, program: &Path) -> Command {
        let folder = self.0.display();
        let script = format!("echo $$ > '{folder}/cgroup.procs' && exec \"$0\" \"$@\"");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).arg(program);
        shell
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Its files go with it.
        let _ = fs::remove_dir(&self.0);
    }
}
