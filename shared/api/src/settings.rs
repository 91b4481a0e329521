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
