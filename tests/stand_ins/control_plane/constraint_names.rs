//! The names that an online schema change gives to CHECK constraints and foreign keys.
//!
//! MySQL wants these names to be unique in a schema, and Vitess changes a copy of the table beside
//! the original. So each constraint of the copy gets a new name: the original one and a suffix,
//! which is different in every deployment (PlanetScale's docs, constraint not found; Vitess,
//! go/vt/schemadiff/names.go).

/// The suffix after its `_`: 128 bits in base 36.
const SUFFIX: usize = 25;

/// The longest original name that leaves room for the suffix in MySQL's 64 characters.
pub const MAX_ORIGINAL_NAME: usize = 64 - 1 - SUFFIX;

/// The name that a constraint had before any deployment, as Vitess finds it. From names that MySQL
/// generated, it also takes the table's name.
pub fn original_name<'n>(table: &str, name: &'n str) -> &'n str {
    let generated = name.strip_prefix(table).and_then(|rest| {
        let rest = rest.strip_prefix('_')?;
        (rest.starts_with("chk_") || rest.starts_with("ibfk_")).then_some(rest)
    });
    if let Some(name) = generated {
        return name;
    }
    let is_suffix = |text: &str| {
        let known = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
        text.len() == SUFFIX && text.chars().all(known)
    };
    match name.rsplit_once('_') {
        Some((original, suffix)) if is_suffix(suffix) => original,
        _ => name,
    }
}

/// A new name for a constraint. Vitess computes the suffix from the migration; here it is random.
pub fn new_name(table: &str, name: &str) -> String {
    let original: String = original_name(table, name)
        .chars()
        .take(MAX_ORIGINAL_NAME)
        .collect();
    let mut number = fastrand::u128(..);
    let mut suffix = [b'0'; SUFFIX];
    for digit in suffix.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"
            .get((number % 36) as usize)
            .copied()
            .unwrap_or_default();
        number /= 36;
    }
    format!("{original}_{}", String::from_utf8_lossy(&suffix))
}

/// The statement with new names for all constraints that it creates.
pub fn with_new_names(table: &str, statement: &str) -> String {
    let marker = match statement.starts_with("CREATE TABLE ") {
        true => "\n  CONSTRAINT `",
        false => "ADD CONSTRAINT `",
    };
    let mut pieces = statement.split(marker);
    let mut renamed = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('`').unwrap_or_default();
        renamed += &format!("{marker}{}`{rest}", new_name(table, name));
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_original_part_through_all_deployments() {
        for (name, original) in [
            ("check1", "check1"),
            ("check1_7no794p1x6zw6je1gfqmt7bca", "check1"),
            (
                "orders_amount_chk_5vtaqz7kepok6wa91vryrkrje",
                "orders_amount_chk",
            ),
            ("orders_chk_1", "chk_1"),
            ("orders_ibfk_2", "ibfk_2"),
            // A suffix of another length, with capitals, or not at the end.
            (
                "check1_bm701hx09ky10ygpj4imt6fbla",
                "check1_bm701hx09ky10ygpj4imt6fbla",
            ),
            (
                "check1_7NO794P1X6ZW6JE1GFQMT7BCA",
                "check1_7NO794P1X6ZW6JE1GFQMT7BCA",
            ),
            (
                "check_991ek3m5g69vcule23s9vnayd_check1",
                "check_991ek3m5g69vcule23s9vnayd_check1",
            ),
        ] {
            assert_eq!(original_name("orders", name), original);
            let renamed = new_name("orders", name);
            assert_ne!(renamed, name);
            assert_eq!(original_name("orders", &renamed), original);
        }
        assert_eq!(new_name("orders", &"x".repeat(64)).len(), 64);
    }
}
