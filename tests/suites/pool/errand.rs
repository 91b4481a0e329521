//! What is asked of the functions, and how the answers are judged.

use serde_json::json;
use tests::stand_ins::lambda::Answer;
use tests::stand_ins::lambda::event::Event;
use uuid::Uuid;

use crate::function_under_test::{CUSTOMER, Scene};

/// What is asked of the function, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Get,
    List,
    Create,
    Update,
}

impl Call {
    pub const ALL: [Self; 4] = [Self::Get, Self::List, Self::Create, Self::Update];

    /// The function that does it.
    pub fn function(self) -> &'static str {
        match self {
            Self::Get => "get-order",
            Self::List => "list-orders",
            Self::Create => "create-order",
            Self::Update => "update-order",
        }
    }

    /// The round trips that it needs on a connection that is warm.
    pub fn flights(self) -> usize {
        match self {
            Self::Get | Self::List => 1,
            Self::Update => 2,
            // START TRANSACTION, the order, its items, COMMIT.
            Self::Create => 4,
        }
    }

    /// The status that says it was done.
    pub fn success(self) -> u16 {
        match self {
            Self::Create => 201,
            Self::Get | Self::List | Self::Update => 200,
        }
    }
}

/// Something asked of the function.
pub struct Errand {
    pub event: Event,
    /// The idempotency key, of a create.
    pub key: String,
    /// The order that it is about, unless it is to be made.
    pub id: Option<Uuid>,
}

impl Scene {
    /// Something new to ask for, so that no answer can be taken for another's.
    pub async fn errand(&self) -> Errand {
        let key = Uuid::now_v7().to_string();
        let (id, event) = match self.call {
            Call::Create => (None, create(&key)),
            call => {
                let id = self.place().await;
                let path = format!("/orders/{id}");
                let event = match call {
                    Call::Get => Event::get(path),
                    Call::List => Event::get(format!("/customers/{CUSTOMER}/orders?limit=1")),
                    _ => Event::patch(path)
                        .header("if-match", "\"1\"")
                        .json(&json!({ "status": "paid" })),
                };
                (Some(id), event)
            }
        };
        Errand { event, key, id }
    }

    /// Asserts that the answer is the errand's, and that the database agrees.
    pub async fn check(&self, errand: &Errand, answer: &Answer) {
        assert_eq!(
            answer.status,
            self.call.success(),
            "{answer:#?}\n{}",
            self.function.output().unwrap()
        );
        let id = errand.id.map(|id| json!(id.to_string()));
        match self.call {
            Call::Get => assert_eq!(Some(&answer.body["id"]), id.as_ref()),
            Call::List => assert_eq!(Some(&answer.body["orders"][0]["id"]), id.as_ref()),
            Call::Create => {
                let placed = self.placed(&errand.key).await;
                assert_eq!(placed.len(), 1, "{placed:?}");
                assert_eq!(answer.body["id"], json!(placed[0].to_string()));
            }
            Call::Update => {
                assert_eq!(Some(&answer.body["id"]), id.as_ref());
                assert_eq!(answer.body["version"], json!(2));
            }
        }
    }

    /// Asserts that the answer is the truth, whatever befell the connection meanwhile: a read is
    /// done, a write is done or told apart from one that is not.
    pub async fn judge(&self, errand: &Errand, answer: &Answer) {
        let done = self.done(errand).await;
        let case = format!("{:?}, done {done} times: {answer:#?}", self.call);
        assert!(done <= 1, "{case}");
        match (answer.status, answer.body["type"].as_str()) {
            (status, None) if status == self.call.success() => self.check(errand, answer).await,
            // A read is sent again, in time.
            _ if matches!(self.call, Call::Get | Call::List) => panic!("{case}"),
            (503, _) => assert_eq!(done, 0, "{case}"),
            (500, Some("/problems/outcome-unknown")) if self.call == Call::Create => {
                // The same key again makes it one order, whatever has become of the first.
                let again = self.function.invoke(errand.event.clone()).await.unwrap();
                assert_eq!(again.status, 201, "{case}");
                let replayed = (done == 1).then_some("true");
                assert_eq!(again.header("idempotent-replayed"), replayed, "{case}");
                assert_eq!(self.placed(&errand.key).await.len(), 1, "{case}");
            }
            (500, Some("/problems/outcome-unknown")) => {}
            _ => panic!("{case}"),
        }
    }

    /// How often the database did what was asked for.
    async fn done(&self, errand: &Errand) -> usize {
        match (self.call, errand.id) {
            (Call::Create, _) => self.placed(&errand.key).await.len(),
            (Call::Update, Some(id)) => self.changes(id).await,
            _ => 0,
        }
    }
}

/// The request for an order with two items.
fn create(key: &str) -> Event {
    Event::post("/orders")
        .header("idempotency-key", key)
        .json(&json!({
            "customer_id": CUSTOMER,
            "currency": "EUR",
            "items": [
                { "sku": "TEA-1", "quantity": 2, "unit_price": "4.50" },
                { "sku": "CUP-1", "quantity": 1, "unit_price": "7.00" },
            ],
        }))
}

/// The summary line's number of that name.
pub fn logged(answer: &Answer, name: &str) -> u64 {
    let summary = answer.logs.iter().find(|line| !line[name].is_null());
    summary.and_then(|line| line[name].as_u64()).unwrap()
}
