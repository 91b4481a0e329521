//! How long `cargo dev lint` takes for many files, and for many tables. The floor is what the server
//! takes for the same statements alone.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use schema::{Migrations, Options};

use crate::cargo_dev::bench::figure::Figure;
use crate::cargo_dev::lint::Linter;
use crate::stack::file;

const FILES: usize = 500;
const TABLES: usize = 2000;

/// Checks both, in the folder.
pub async fn rules(folder: &Path, server: Option<&Path>) -> anyhow::Result<Vec<Figure>> {
    let linter = Linter::start(server).await?;
    let many_tables: String = (0..TABLES).map(table).collect();
    let cases = [
        (format!("{FILES} files"), (0..FILES).map(change).collect()),
        (format!("{TABLES} tables"), vec![many_tables]),
    ];
    let mut figures = Vec::new();
    for (subject, files) in cases {
        let (checked, alone) = check(&linter, folder, &files).await?;
        figures.push(Figure {
            group: "cargo dev lint, s".to_owned(),
            subject,
            rounds: vec![checked.as_secs_f64()],
            floor: vec![alone.as_secs_f64()],
        });
    }
    linter.end().await;
    Ok(figures)
}

/// How long the rules take for these files, and the server for their statements.
async fn check(
    linter: &Linter,
    folder: &Path,
    files: &[String],
) -> anyhow::Result<(Duration, Duration)> {
    file::remove_folder(folder)?;
    file::create_folder(folder)?;
    for (index, text) in files.iter().enumerate() {
        file::write(&folder.join(format!("{:04}_change.sql", index + 1)), text)?;
    }
    let migrations = Migrations::read(folder)?;
    file::remove_folder(folder)?;
    let began = Instant::now();
    let scratch = linter.scratch().await?;
    let findings = scratch.findings(&migrations, &Options::default()).await?;
    ensure!(findings.is_empty(), "{findings:?}");
    let checked = began.elapsed();

    let began = Instant::now();
    let mut scratch = linter.scratch().await?;
    let use_it = format!("USE `{}`", scratch.schema);
    scratch.admin.query_drop(use_it).await?;
    for statement in migrations
        .iter()
        .flat_map(|migration| &migration.statements)
    {
        scratch.admin.query_drop(&statement.text).await?;
    }
    let drop = format!("DROP DATABASE `{}`", scratch.schema);
    scratch.admin.query_drop(drop).await?;
    Ok((checked, began.elapsed()))
}

fn table(number: usize) -> String {
    format!(
        "CREATE TABLE table_{number} (\n  id BINARY(16) NOT NULL,\n  customer VARCHAR(255) NOT NULL,\n  \
         total DECIMAL(14, 4) NOT NULL,\n  created_at DATETIME(6) NOT NULL,\n  PRIMARY KEY (id),\n  \
         KEY by_customer (customer, id)\n) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;\n"
    )
}

/// New tables in two files of five, then columns, then indexes.
fn change(number: usize) -> String {
    let tables = FILES * 2 / 5;
    let changed = number % tables;
    match number / tables {
        0 => table(number),
        1 => format!("ALTER TABLE table_{changed} ADD COLUMN note VARCHAR(50) NULL;\n"),
        _ => format!("ALTER TABLE table_{changed} ADD KEY by_total (total, id);\n"),
    }
}
