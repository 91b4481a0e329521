//! The requests that the tests send to the functions, and the checks of the answers.

use serde_json::json;
use tests::stand_ins::lambda::Answer;
use tests::stand_ins::lambda::event::Event;
use uuid::Uuid;

use crate::function_under_test::{CUSTOMER, FunctionUnderTest};

/// A call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Get,
    List,
    Create,
    Update,
}

impl Call {
    pub const ALL: [Self; 4] = [Self::Get, Self::List, Self::Create, Self::Update];

    /// The function that answers it.
    pub fn function(self) -> &'static str {
        match self {
            Self::Get => "get-order",
            Self::List => "list-orders",
            Self::Create => "create-order",
            Self::Update => "update-order",
        }
    }

    /// The round trips of the call on a warm connection.
    pub fn flights(self) -> usize {
        match self {
            Self::Get | Self::List => 1,
            Self::Update => 2,
            // START TRANSACTION, the order, its items, COMMIT.
            Self::Create => 4,
        }
    }

    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }

    /// The status of a successful answer.
    pub fn success(self) -> u16 {
        match self {
            Self::Create => 201,
            Self::Get | Self::List | Self::Update => 200,
        }
    }
}

/// A request to a function.
pub struct Request {
    pub event: Event,
    /// The idempotency key, which only a create sends.
    pub key: String,
    /// The order that it is about; none for a create.
    pub id: Option<Uuid>,
}

impl FunctionUnderTest {
    /// A request for an order of its own, so that its answer cannot be mistaken for another's.
    pub async fn new_request(&self) -> Request {
        let key = Uuid::now_v7().to_string();
        let (id, event) = match self.call {
            Call::Create => (None, create(&key)),
            call => {
                let id = self.insert_order().await;
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
        Request { event, key, id }
    }

    /// Asserts that the request succeeded, and that answer and database agree with it.
    pub async fn assert_success(&self, request: &Request, answer: &Answer) {
        assert_eq!(
            answer.status,
            self.call.success(),
            "{answer:#?}\n{}",
            self.function.output().unwrap()
        );
        let id = request.id.map(|id| json!(id.to_string()));
        match self.call {
            Call::Get => assert_eq!(Some(&answer.body["id"]), id.as_ref()),
            Call::List => assert_eq!(Some(&answer.body["orders"][0]["id"]), id.as_ref()),
            Call::Create => {
                let placed = self.placed(&request.key).await;
                assert_eq!(placed.len(), 1, "{placed:?}");
                assert_eq!(answer.body["id"], json!(placed[0].to_string()));
            }
            Call::Update => {
                assert_eq!(Some(&answer.body["id"]), id.as_ref());
                assert_eq!(answer.body["version"], json!(2));
            }
        }
    }

    /// Asserts that the answer is true, whatever happened to the connection meanwhile. A read
    /// succeeds. A write succeeds, or its answer says that it was not done or may have been done.
    pub async fn assert_truthful(&self, request: &Request, answer: &Answer) {
        let done = self.done(request).await;
        let case = format!("{:?}, done {done} times: {answer:#?}", self.call);
        assert!(done <= 1, "{case}");
        match (answer.status, answer.body["type"].as_str()) {
            (status, None) if status == self.call.success() => {
                self.assert_success(request, answer).await
            }
            // A read is repeated in time.
            _ if !self.call.is_write() => panic!("{case}"),
            (503, _) => assert_eq!(done, 0, "{case}"),
            (500, Some("/problems/outcome-unknown")) if self.call == Call::Create => {
                // With the same key again there is one order, whether or not the first was written.
                let again = self.invoke(request).await;
                assert_eq!(again.status, 201, "{case}");
                let replayed = (done == 1).then_some("true");
                assert_eq!(again.header("idempotent-replayed"), replayed, "{case}");
                assert_eq!(self.placed(&request.key).await.len(), 1, "{case}");
            }
            (500, Some("/problems/outcome-unknown")) => {}
            _ => panic!("{case}"),
        }
    }

    /// How often the database carried out the request.
    async fn done(&self, request: &Request) -> usize {
        match (self.call, request.id) {
            (Call::Create, _) => self.placed(&request.key).await.len(),
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

/// A number in the log line that sums up the invocation.
pub fn logged(answer: &Answer, name: &str) -> u64 {
    let summary = answer.logs.iter().find(|line| !line[name].is_null());
    summary.and_then(|line| line[name].as_u64()).unwrap()
}
