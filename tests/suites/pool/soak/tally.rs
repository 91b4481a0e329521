//! Counts of faults and answers.

use std::collections::BTreeMap;

use super::Call;
use super::faults::{Between, During, FaultKind};

/// How often each fault and each answer came.
#[derive(Debug, Default)]
pub(super) struct Tally {
    between: BTreeMap<Between, usize>,
    during: BTreeMap<FaultKind, usize>,
    /// Flights on a warm connection that a fault hit.
    flights: BTreeMap<(Call, usize), usize>,
    /// Statuses of calls that a fault hit, and of others.
    answers: BTreeMap<(Call, &'static str, u16), usize>,
}

impl Tally {
    pub(super) fn count(
        &mut self,
        call: Call,
        between: Option<Between>,
        during: Option<During>,
        warm: bool,
        status: u16,
    ) {
        if let Some(between) = between {
            *self.between.entry(between).or_default() += 1;
        }
        if let Some(During { flight, kind, .. }) = during {
            *self.during.entry(kind).or_default() += 1;
            if warm {
                *self.flights.entry((call, flight)).or_default() += 1;
            }
        }
        let struck = during.map_or("not struck", |_| "struck");
        *self.answers.entry((call, struck, status)).or_default() += 1;
    }

    /// Asserts that every fault came, that every flight of every call was hit, and that every status
    /// was answered.
    pub(super) fn assert_complete(&self) {
        for between in Between::ALL {
            assert!(self.between.contains_key(&between), "no {between:?}");
        }
        for kind in FaultKind::ALL {
            assert!(self.during.contains_key(&kind), "no {kind:?}");
        }
        for call in Call::ALL {
            for flight in 1..=call.flights() {
                let struck = self.flights.contains_key(&(call, flight));
                assert!(struck, "flight {flight} of {call:?} was never struck");
            }
        }
        for status in [200, 201, 404, 500, 503] {
            let mut answers = self.answers.keys();
            assert!(answers.any(|(.., found)| *found == status), "no {status}");
        }
    }
}
