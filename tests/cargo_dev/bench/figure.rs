//! What was measured: medians, their spread, and how many times the floor they are.

/// The middle of several values, and the quartiles around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    /// Of nothing, it is zero.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| {
            let index = values.len().saturating_sub(1) * quarter / 4;
            values.get(index).copied().unwrap_or(0.0)
        };
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }
}

/// The median of the values.
pub fn median(values: &[f64]) -> f64 {
    Spread::of(values.iter().copied()).median
}

/// One line of the report.
#[derive(Debug, Clone)]
pub struct Figure {
    /// The part of the report, as in "warm, ms".
    pub group: String,
    /// What was measured.
    pub subject: String,
    /// What each round measured.
    pub rounds: Vec<f64>,
    /// The floor in the same rounds.
    pub floor: Vec<f64>,
}

impl Figure {
    /// The subject within its group.
    pub fn name(&self) -> String {
        format!("{}: {}", self.group, self.subject)
    }

    pub fn value(&self) -> Spread {
        Spread::of(self.rounds.iter().copied())
    }

    pub fn floor(&self) -> Spread {
        Spread::of(self.floor.iter().copied())
    }

    /// How many times the floor it is, round by round: both are measured in the same moments, so what
    /// else the machine does hardly changes this.
    pub fn ratio(&self) -> Spread {
        let pairs = self.rounds.iter().zip(&self.floor);
        Spread::of(pairs.map(|(value, floor)| value / floor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The machine was ten times slower in the last round.
        let figure = Figure {
            group: "warm".to_owned(),
            subject: "get-order".to_owned(),
            rounds: vec![2.0, 2.2, 1.8, 2.0, 20.0],
            floor: vec![1.0, 1.0, 1.0, 1.0, 10.0],
        };
        let ratio = Spread {
            low: 2.0,
            median: 2.0,
            high: 2.0,
        };
        assert_eq!(figure.ratio(), ratio);
        assert_eq!(figure.value().median, 2.0);
        assert_eq!(figure.value().high, 2.2);
    }
}
