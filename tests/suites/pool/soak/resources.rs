//! The machine's resources that a function's process uses.

use std::path::PathBuf;

/// The resources of a process.
#[derive(Debug)]
pub(super) struct Resources {
    /// Its open file descriptors.
    pub(super) files: usize,
    /// Its resident memory, in KiB.
    pub(super) memory: usize,
}

impl Resources {
    /// Reads them from `/proc`, which only Linux has; elsewhere there are none.
    pub(super) fn of(process: u32) -> Option<Self> {
        let folder = PathBuf::from(format!("/proc/{process}"));
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let memory = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|size| size.trim().strip_suffix(" kB"))
            .unwrap();
        Some(Self {
            files: std::fs::read_dir(folder.join("fd")).unwrap().count(),
            memory: memory.parse().unwrap(),
        })
    }
}
