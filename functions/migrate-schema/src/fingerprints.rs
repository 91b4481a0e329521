//! The two fingerprints that a deployment is held against, and where they are kept.
//!
//! An execution hands them from step to step. For a run that comes after one that died, they are
//! also on the branch, and in the notes of the deploy request, which outlive the branch.

use database::{DatabaseError, Session};
use planetscale::DeployRequest;
use schema::{Fingerprint, Ledger, Migration, Migrations, Plan, Snapshot, ledger};
use serde::{Deserialize, Serialize};

/// A row of the branch's ledger holds the fingerprints. Rows of a branch are deployed nowhere, and
/// files have numbers of four digits.
const ROW: u32 = 10_000;

/// The lines of the notes begin with these.
const BEFORE: &str = "Production's schema before: ";
const AFTER: &str = "Production's schema afterwards: ";

/// What a deployment starts from, and what it must lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// Production's schema when the branch was made.
    pub before: Fingerprint,
    /// The branch's schema when the migrations had been applied.
    pub after: Fingerprint,
}

impl Fingerprints {
    pub fn of(before: &Snapshot, after: &Snapshot) -> Self {
        Self {
            before: before.fingerprint(),
            after: after.fingerprint(),
        }
    }

    /// Whether the migrations leave the schema as it was.
    pub fn are_equal(&self) -> bool {
        self.before == self.after
    }

    /// Those of a branch; none before all migrations are applied to it.
    pub async fn read(branch: &mut Session<'_>) -> Result<Option<Self>, DatabaseError> {
        let ledger = Ledger::read(branch).await?;
        let row = ledger.row(ROW);
        Ok(row.and_then(|row| Self::parse(&row.name, &row.checksum)))
    }

    /// Writes them to the branch, as the last thing that is done to it.
    pub async fn write(&self, branch: &mut Session<'_>) -> Result<(), DatabaseError> {
        let row = (ROW, self.before.to_string(), self.after.to_string());
        branch.execute(&ledger::RECORD, row).await.map(drop)
    }

    /// What stands in the notes of a plan's deploy request, for people and for [`Notes::of`].
    pub fn notes(&self, plan: &Plan) -> String {
        let mut notes = String::from("Opened by migrate-schema for these migrations:\n\n");
        for planned in &plan.migrations {
            notes += &format!("- {planned} sha256:{}\n", planned.checksum);
        }
        let Self { before, after } = self;
        notes + &format!("\n{BEFORE}{before}\n{AFTER}{after}\n")
    }

    fn parse(before: &str, after: &str) -> Option<Self> {
        Some(Self {
            before: Fingerprint::parse(before.trim())?,
            after: Fingerprint::parse(after.trim())?,
        })
    }
}

/// What the notes of a deploy request say that this function opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Notes<'m> {
    /// The migrations, as far as there are files with the same text.
    pub migrations: Vec<&'m Migration>,
    pub fingerprints: Fingerprints,
}

impl<'m> Notes<'m> {
    /// None of a deploy request that somebody else opened.
    pub fn of(request: &DeployRequest, files: &'m Migrations) -> Option<Self> {
        let notes = request.notes.as_deref()?;
        let line = |start| notes.lines().find_map(|line| line.strip_prefix(start));
        let named = notes.lines().filter_map(|line| {
            let (name, checksum) = line.strip_prefix("- ")?.split_once(" sha256:")?;
            let version: u32 = name.split_once('_')?.0.parse().ok()?;
            let migration = files.get(version)?;
            (migration.id.checksum == checksum.trim()).then_some(migration)
        });
        Some(Self {
            migrations: named.collect(),
            fingerprints: Fingerprints::parse(line(BEFORE)?, line(AFTER)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(notes: &str) -> DeployRequest {
        serde_json::from_value(json!({
            "number": 1, "branch": "b", "into_branch": "main", "state": "closed",
            "deployment_state": "complete", "notes": notes,
        }))
        .unwrap()
    }

    #[test]
    fn notes_name_the_fingerprints_and_the_migrations_with_their_text() {
        let files = Migrations::built_in().unwrap();
        let plan = Plan::new(&files, &Ledger::absent()).unwrap();
        let digits = |digit: &str| digit.repeat(64);
        let fingerprints = Fingerprints::parse(&digits("a"), &digits("b")).unwrap();
        let notes = fingerprints.notes(&plan);
        let read = request(&notes);
        let read = Notes::of(&read, &files).unwrap();
        assert_eq!(read.fingerprints, fingerprints);
        assert_eq!(read.migrations.len(), plan.migrations.len());

        let with_windows_lines = request(&notes.replace('\n', "\r\n"));
        assert_eq!(Notes::of(&with_windows_lines, &files).unwrap(), read);
        let changed = request(&notes.replace("sha256:", "sha256:0"));
        let changed = Notes::of(&changed, &files).unwrap();
        assert_eq!(changed.migrations, [] as [&Migration; 0]);
        for of_somebody_else in ["", "- 0001 by hand", &notes.replace(AFTER, "")] {
            assert_eq!(Notes::of(&request(of_somebody_else), &files), None);
        }
    }
}
