//! `PATCH /orders/{order_id}` moves an order to another status.

use std::process::ExitCode;

use api::{Answer, Problem, Request, Route};
use database::Database;
use orders::{ChangeError, CustomerId, StatusDraft, statements};

fn main() -> ExitCode {
    database::prepare_ahead([statements::FIND_ORDER, statements::UPDATE_STATUS]);
    api::serve(Route::patch("/orders/{order_id}"), update_order)
}

async fn update_order(request: Request, database: &'static Database) -> Result<Answer, Problem> {
    let id = request.path("order_id")?;
    let versions = request.versions_to_change()?;
    let to = request.json::<StatusDraft>()?.status.parse();
    let to = to.map_err(|rule| Problem::invalid("status", rule))?;
    let mut session = database.session(request.deadline()).await?;
    let may_see = |customer: &CustomerId| request.caller().may_act_for(customer.as_str());
    let expects = |version| versions.includes(version);
    let changed = orders::change_status(&mut session, id, to, may_see, expects).await;
    let order = changed.map_err(|error| match error {
        ChangeError::NotFound => Problem::not_found("no order has this id"),
        ChangeError::Stale => Problem::stale(),
        ChangeError::NotAllowed { .. } => Problem::conflict(error.to_string()),
        ChangeError::Database(error) => error.into(),
    })?;
    Ok(Answer::ok(&order).etag(order.version))
}
