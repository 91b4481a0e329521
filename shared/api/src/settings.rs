//! Settings about callers, read from the environment.

use std::sync::OnceLock;

use lambda::{
    Resource,
    settings::{Environment, Faults, Variable},
};

const ALLOW_UNAUTHENTICATED: &str = "ALLOW_UNAUTHENTICATED";
const ALL_CUSTOMERS_SCOPE: &str = "ALL_CUSTOMERS_SCOPE";

/// Every variable that the API itself reads.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: ALL_CUSTOMERS_SCOPE,
        default: "",
        local: false,
        meaning: "full name of the scope whose tokens may act for all customers; without it, no scope may",
    },
    Variable {
        name: ALLOW_UNAUTHENTICATED,
        default: "false",
        local: true,
        meaning: "`true` admits callers that no authorizer has checked, and lets them act for all customers",
    },
];

/// Who may call, and for which customers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether a request without an authorizer is accepted.
    pub allow_unauthenticated: bool,
    /// The scope that lets a token act for all customers.
    pub all_customers_scope: Option<String>,
}

impl Settings {
    /// Reads an environment from a function that maps names to values.
    ///
    /// # Errors
    ///
    /// [`Faults`] with every variable that is wrong.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        Environment::read(lookup, VARIABLES, |environment| Self {
            allow_unauthenticated: match &*environment.get_or_default(ALLOW_UNAUTHENTICATED) {
                "true" => true,
                "false" => false,
                _ => {
                    environment.fault(ALLOW_UNAUTHENTICATED, "must be true or false");
                    false
                }
            },
            all_customers_scope: Some(environment.get_or_default(ALL_CUSTOMERS_SCOPE))
                .filter(|scope| !scope.is_empty())
                .inspect(|scope| {
                    if !scope.bytes().all(is_scope_character) {
                        environment.fault(ALL_CUSTOMERS_SCOPE, "must be the name of one scope");
                    }
                }),
        })
    }
}

/// RFC 6749, section 3.3.
fn is_scope_character(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"\\".contains(&byte)
}

impl Resource for &'static Settings {
    fn from_env() -> Result<Self, Faults> {
        static SETTINGS: OnceLock<Settings> = OnceLock::new();
        let settings = Settings::read(|name| std::env::var(name).ok())?;
        Ok(SETTINGS.get_or_init(|| settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Settings, Faults> {
        Settings::read(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn the_api_is_closed_unless_the_setting_is_true() {
        for (value, open) in [("", false), (" ", false), ("false", false), ("true", true)] {
            let settings = read(ALLOW_UNAUTHENTICATED, value).unwrap();
            assert_eq!(settings.allow_unauthenticated, open, "{value:?}");
        }
        assert_eq!(Settings::read(|_| None).unwrap(), Settings::default());
    }

    #[test]
    fn a_value_that_is_neither_true_nor_false_is_a_fault() {
        for value in ["1", "yes", "TRUE", "True", "on", "0", "no", "truee"] {
            let faults = read(ALLOW_UNAUTHENTICATED, value).unwrap_err().to_string();
            assert!(faults.contains(ALLOW_UNAUTHENTICATED), "{faults}");
        }
    }

    #[test]
    fn the_scope_is_a_single_name() {
        let scope = "https://api.example.com/orders:all";
        let settings = read(ALL_CUSTOMERS_SCOPE, scope).unwrap();
        assert_eq!(settings.all_customers_scope.as_deref(), Some(scope));
        assert_eq!(read(ALL_CUSTOMERS_SCOPE, " ").unwrap(), Settings::default());
        for wrong in ["orders:all orders:read", "a\"b", "a\\b", "alle-aufträge"] {
            let faults = read(ALL_CUSTOMERS_SCOPE, wrong).unwrap_err().to_string();
            assert!(faults.contains(ALL_CUSTOMERS_SCOPE), "{faults}");
            assert!(!faults.contains(wrong), "{faults}");
        }
    }
}
