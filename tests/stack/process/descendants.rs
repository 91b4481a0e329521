//! Finds the processes of a stack, and those that they have started. Each has a tag in its
//! environment, which children inherit. A process group or a session would not do: `cargo lambda
//! watch` puts each function into a session of its own.

use std::path::Path;
use std::process::Command;

use nix::unistd::Pid;

/// The variable that holds the tag.
pub const VARIABLE: &str = "LOCAL_STACK_PROCESS";

/// The tag of a whole stack, or of one program and everything that it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    stack: String,
    program: Option<String>,
}

impl Tag {
    /// The tag of the stack in this folder.
    pub fn of_stack(folder: &Path) -> Self {
        // Only what needs no quoting: `ps` puts spaces between variables.
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "/._-".contains(c) {
                c
            } else {
                '_'
            }
        };
        Self {
            stack: folder.to_string_lossy().chars().map(plain).collect(),
            program: None,
        }
    }

    /// The tag of one of its programs.
    pub fn program(&self, name: &str) -> Self {
        Self {
            stack: self.stack.clone(),
            program: Some(name.to_owned()),
        }
    }

    /// The value of the variable.
    pub fn value(&self) -> String {
        format!(
            "{}:{}",
            self.stack,
            self.program.as_deref().unwrap_or_default()
        )
    }

    /// The running processes with this tag, and the program that each belongs to.
    pub fn processes(&self) -> Vec<(Pid, String)> {
        if Path::new("/proc/self/environ").exists() {
            self.by_proc()
        } else {
            self.by_ps()
        }
    }

    fn by_proc(&self) -> Vec<(Pid, String)> {
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        let tagged = |folder: &Path| {
            let id = folder.file_name()?.to_str()?.parse().ok()?;
            // A process that has ended has an empty environment. Another user's can't be read.
            let environment = std::fs::read(folder.join("environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0);
            let program = variables.find_map(|text| self.read(std::str::from_utf8(text).ok()?))?;
            Some((Pid::from_raw(id), program))
        };
        processes
            .filter_map(|entry| tagged(&entry.ok()?.path()))
            .collect()
    }

    /// On macOS, `ps` shows the environment after the command's arguments.
    fn by_ps(&self) -> Vec<(Pid, String)> {
        let ps = Command::new("ps")
            .args(["-A", "-E", "-ww", "-o", "pid=,command="])
            .output();
        let listing = ps.map(|output| output.stdout).unwrap_or_default();
        let tagged = |line: &str| {
            let mut words = line.split_whitespace();
            let id = words.next()?.parse().ok()?;
            Some((Pid::from_raw(id), words.find_map(|word| self.read(word))?))
        };
        String::from_utf8_lossy(&listing)
            .lines()
            .filter_map(tagged)
            .collect()
    }

    /// The program that a process belongs to, if this variable of its environment has the tag.
    fn read(&self, variable: &str) -> Option<String> {
        let value = variable.strip_prefix(VARIABLE)?.strip_prefix('=')?;
        let program = value.strip_prefix(&self.stack)?.strip_prefix(':')?;
        self.program
            .as_ref()
            .is_none_or(|own| own == program)
            .then(|| program.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_the_tag_of_its_stack() {
        let stack = Tag::of_stack(Path::new("/home/Jo Doe/target/dev"));
        let server = stack.program("server");
        let variable = format!("{VARIABLE}={}", server.value());
        assert_eq!(
            variable,
            "LOCAL_STACK_PROCESS=/home/Jo_Doe/target/dev:server"
        );
        assert_eq!(stack.read(&variable).as_deref(), Some("server"));
        assert_eq!(server.read(&variable).as_deref(), Some("server"));
        assert_eq!(stack.program("pip").read(&variable), None);
        assert_eq!(
            Tag::of_stack(Path::new("/home/Jo Doe/target")).read(&variable),
            None
        );
    }

    #[test]
    fn descendants_in_other_sessions_are_found() {
        let tag = Tag::of_stack(Path::new("/no/such/stack")).program("sleep");
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 60 & sleep 60"])
            .env(VARIABLE, tag.value())
            .spawn()
            .unwrap();
        let found = || {
            tag.processes()
                .into_iter()
                .map(|(id, _)| id)
                .collect::<Vec<_>>()
        };
        while found().len() < 3 {
            std::thread::yield_now();
        }
        for id in found() {
            nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).unwrap();
        }
        shell.wait().unwrap();
    }
}
