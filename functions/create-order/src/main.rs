//! `POST /orders` places an order.

use std::process::ExitCode;

use api::{Answer, Problem, Request, Route};
use database::Database;
use orders::{IdempotencyKey, NewOrder, PlaceError, Placed, statements::INSERT_ORDER};

fn main() -> ExitCode {
    database::prepare_ahead([INSERT_ORDER]);
    api::serve(Route::post("/orders"), create_order)
}

async fn create_order(request: Request, database: &'static Database) -> Result<Answer, Problem> {
    let key = request.idempotency_key()?.map(IdempotencyKey::new);
    let order = NewOrder::parse(&request.json()?)
        .map_err(|invalid| Problem::invalid(invalid.field, invalid.rule))?;
    let customer = order.customer_id().as_str();
    request.caller().must_act_for(customer)?;

    let mut session = database.session(request.deadline()).await?;
    let placed = orders::place(&mut session, &order, key).await;
    let Placed { order, replayed } = placed.map_err(|error| match error {
        PlaceError::KeyReused => Problem::key_reused(),
        PlaceError::Database(error) => error.into(),
    })?;

    let answer = Answer::created(&format!("/orders/{}", order.id), &order);
    Ok(answer.etag(order.version).replayed(replayed))
}
