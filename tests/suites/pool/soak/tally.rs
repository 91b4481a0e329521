//! What happened how often.

use std::collections::BTreeMap;

use super::Call;
use super::faults::{Between, Deed, During};

/// How often there was what fault and what answer.
#[derive(Debug, Default)]
pub(super) struct Tally {
    between: BTreeMap<Between, usize>,
    during: BTreeMap<Deed, usize>,
    /// Flights that were struck on a warm connection.
    flights: BTreeMap<(Call, usize), usize>,
    /// Statuses, of calls that were struck and of others.
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
        if let Some(During { flight, deed, .. }) = during {
            *self.during.entry(deed).or_default() += 1;
            if warm {
                *self.flights.entry((call, flight)).or_default() += 1;
            }
        }
        let struck = during.map_or("not struck", |_| "struck");
        *self.answers.entry((call, struck, status)).or_default() += 1;
    }

    /// Asserts that there was every fault, on every flight of every call, and every answer.
    pub(super) fn assert_complete(&self) {
        for between in Between::ALL {
            assert!(self.between.contains_key(&between), "no {between:?}");
        }
        for deed in Deed::ALL {
            assert!(self.during.contains_key(&deed), "no {deed:?}");
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
