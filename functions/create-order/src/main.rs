//! `POST /orders` places an order.

use std::process::ExitCode;

use api::{self, Answer, Problem, Request, Route};
use database::Database;
use orders::{self, IdempotencyKey, NewOrder, PlaceError};

fn main() -> ExitCode {
    api::serve(Route::post("/orders"), create_order)
}

async fn create_order(request: Request, database: &'static Database) -> Result<Answer, Problem> {
    let key = request.idempotency_key()?.map(IdempotencyKey::new);
    let order = NewOrder::parse(&request.json()?)
        .map_err(|invalid| Problem::invalid(invalid.field, invalid.rule))?;
    if !request.caller().may_act_for(order.customer_id().as_str()) {
        return Err(Problem::forbidden());
    }

    let mut session = database.session(request.deadline()).await?;
    let placed = orders::place(&mut session, &order, key)
        .await
        .map_err(|error| match error {
            PlaceError::KeyReused => Problem::key_reused(),
            PlaceError::Database(error) => error.into(),
        })?;

    let location = format!("/orders/{}", placed.order.id);
    let answer = Answer::created(&location, &placed.order).etag(placed.order.version);
    Ok(if placed.replayed {
        answer.header("idempotent-replayed", "true")
    } else {
        answer
    })
}
