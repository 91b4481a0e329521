//! The environment, parsed once into typed settings.
//!
//! A crate lists its [`Variable`]s in a table and reads them through an [`Environment`], which
//! reads every variable before it reports faults. So one message names everything that is missing
//! or wrong ([`Faults`]), and the function stops at start with it. A variable that is empty or
//! contains only space counts as not set, because an empty parameter of a template arrives that
//! way. No message contains a value, because a pasted URL contains a password.

use std::{fmt, time::Duration};

/// A variable that functions read.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its default, or empty if it has none.
    pub default: &'static str,
    /// Whether it is only for a laptop, so that `template.yaml` does not set it.
    pub local: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// Everything that is wrong with the environment, in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    variable: &'static str,
    reason: String,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are wrong: ")?;
        for (position, Fault { variable, reason }) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{variable} {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Faults {
    /// These faults and `others` together.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for fault in others.0 {
            if !self.0.contains(&fault) {
                self.0.push(fault);
            }
        }
        self
    }
}

/// An environment that is being read. A wrong variable is noted as a fault and replaced by a
/// placeholder, so that reading goes on.
pub struct Environment<L> {
    lookup: L,
    variables: &'static [Variable],
    faults: Vec<Fault>,
}

impl<L: Fn(&str) -> Option<String>> Environment<L> {
    /// Reads settings from `lookup`, a function from names to values. `variables` has the defaults.
    ///
    /// # Errors
    ///
    /// [`Faults`] with every variable that is missing or wrong.
    pub fn read<S>(
        lookup: L,
        variables: &'static [Variable],
        settings: impl FnOnce(&mut Self) -> S,
    ) -> Result<S, Faults> {
        let mut environment = Self {
            lookup,
            variables,
            faults: Vec::new(),
        };
        let settings = settings(&mut environment);
        if environment.faults.is_empty() {
            Ok(settings)
        } else {
            Err(Faults(environment.faults))
        }
    }

    /// The variable's trimmed value, if that is not empty.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Notes what is wrong with a variable. The reason must not contain the value.
    pub fn fault(&mut self, variable: &'static str, reason: impl Into<String>) {
        self.faults.push(Fault {
            variable,
            reason: reason.into(),
        });
    }

    /// The variable's value, or else its default.
    pub fn get_or_default(&self, variable: &str) -> String {
        let default = self.variables.iter().find(|known| known.name == variable);
        self.get(variable)
            .unwrap_or_else(|| default.map_or("", |known| known.default).to_owned())
    }

    /// The variable's value, a whole number from 1 to `most`. `what` is its unit for the message.
    pub fn number(&mut self, variable: &'static str, what: &str, most: u32) -> u32 {
        match self.get_or_default(variable).parse() {
            Ok(number) if (1..=most).contains(&number) => number,
            _ => {
                let reason = format!("must be a whole number{what} from 1 to {most}");
                self.fault(variable, reason);
                1
            }
        }
    }

    /// The variable's value, a time span from one millisecond to a day.
    pub fn milliseconds(&mut self, variable: &'static str) -> Duration {
        let span = self.number(variable, " of milliseconds", 86_400_000);
        Duration::from_millis(span.into())
    }

    /// The variable's value, or else its default. One of them must not be empty.
    pub fn required(&mut self, variable: &'static str) -> String {
        let text = self.get_or_default(variable);
        if text.is_empty() {
            self.fault(variable, "must be set");
        }
        text
    }
}
