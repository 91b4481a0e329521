//! Data in memory, for a server whose data nobody needs when it has ended. On a disk, a statement that
//! creates or changes a table mostly waits until the disk has what was written.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use tokio::process::Command;

use super::DATA;
use crate::stack::file;

/// A file system in memory, which Linux has.
const MEMORY: &str = "/dev/shm";

/// What must be free there, in bytes. Fresh data take about 200 MB, and those of all tests less than a
/// gigabyte.
const ROOM: u64 = 3 << 30;

/// Data in memory. They are removed with the value.
#[derive(Debug)]
pub struct InMemory(PathBuf);

impl InMemory {
    /// The data of the server in this folder. Nothing is there yet.
    pub fn of(folder: &Path) -> Self {
        Self(place(folder))
    }

    /// The data of one more server of that stack, if its first one has its data in memory. They go with
    /// those of the first at the latest.
    pub fn part_of(folder: &Path, name: &str) -> Option<Self> {
        let place = place(folder);
        place.join(DATA).is_dir().then(|| Self(place.join(name)))
    }

    /// Copies the data of a server that does not run, if there is room.
    pub async fn fill(&self, data: &Path) -> anyhow::Result<bool> {
        file::remove_folder(&self.0)?;
        #[allow(clippy::useless_conversion, reason = "macOS counts with fewer bits")]
        let room = statvfs(MEMORY).map_or(0, |fs| {
            u64::from(fs.blocks_available()) * u64::from(fs.fragment_size())
        });
        if room < ROOM {
            return Ok(false);
        }
        file::create_folder(&self.0)?;
        let mut copying = Command::new("cp");
        let status = copying
            .arg("-R")
            .arg(data)
            .arg(self.data())
            .status()
            .await?;
        Ok(status.success())
    }

    /// The folder of the data.
    pub fn data(&self) -> PathBuf {
        self.0.join(DATA)
    }
}

/// The same place each time, so that what a killed run has left is found.
fn place(folder: &Path) -> PathBuf {
    let name = folder.display().to_string().replace('/', "-");
    Path::new(MEMORY).join(format!("cargo-dev{name}"))
}

impl Drop for InMemory {
    fn drop(&mut self) {
        // The next run removes what this one can't.
        let _ = file::remove_folder(&self.0);
    }
}
