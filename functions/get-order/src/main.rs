//! `GET /orders/{order_id}` gives an order with its items.

use std::process::ExitCode;

use api::{Answer, Problem, Request, Route};
use database::Database;
use orders::statements::FIND_ORDER;

fn main() -> ExitCode {
    database::prepare_ahead([FIND_ORDER]);
    api::serve(Route::get("/orders/{order_id}"), get_order)
}

async fn get_order(request: Request, database: &'static Database) -> Result<Answer, Problem> {
    let id = request.path("order_id")?;

    let mut session = database.session(request.deadline()).await?;
    let order = orders::find(&mut session, id)
        .await?
        .filter(|order| request.caller().may_act_for(order.customer_id.as_str()))
        .ok_or_else(|| Problem::not_found("no order has this id"))?;

    Ok(Answer::ok(&order).etag(order.version))
}
