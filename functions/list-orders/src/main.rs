//! `GET /customers/{customer_id}/orders` gives a page of a customer's orders, newest first.

use std::process::ExitCode;

use api::{Answer, Problem, Request, Route};
use database::Database;
use orders::{Cursor, CustomerId, Page, statements::LIST_ORDERS};

fn main() -> ExitCode {
    database::prepare_ahead([LIST_ORDERS]);
    api::serve(Route::get("/customers/{customer_id}/orders"), list_orders)
}

async fn list_orders(request: Request, database: &'static Database) -> Result<Answer, Problem> {
    let customer: CustomerId = request.path("customer_id")?;
    request.caller().must_act_for(customer.as_str())?;
    let status = request.query("status")?;
    let limit = request.query("limit")?.unwrap_or_default();
    let after = request
        .query::<String>("cursor")?
        .map(|text| Cursor::parse(&text, &customer, status))
        .transpose()
        .map_err(|rule| Problem::malformed("cursor", rule))?;

    let mut session = database.session(request.deadline()).await?;
    let page = Page { limit, after };
    let orders = orders::list(&mut session, &customer, status, page).await?;
    Ok(Answer::ok(&orders))
}
