//! `cargo dev bench --growth`: whether a page takes the same time when there are more orders, and how
//! long the rules take for many migrations and many tables.

mod rules;

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::Value;

use super::figure::{Figure, median};
use super::measure::Series;
use super::orders::{self, BUSY, BUSY_ORDERS, HUGE};
use super::program::{Function, Setting, Subject};
use crate::stack::{Route, Template};
use crate::stand_ins::lambda::event::Event;

pub use rules::rules;

/// How many orders there are.
const COUNTS: [u64; 3] = [10_000, 1_000_000, 10_000_000];

/// The page far from the first one.
const FAR: usize = 1000;

/// The orders on a page.
const ORDERS: usize = 10;

/// How often all pages take their turn, and how often each is asked for then.
const ROUNDS: usize = 30;
const INVOCATIONS: usize = 50;

/// The function that gives pages.
const FUNCTION: &str = "list-orders";

/// More memory and a longer log than the stack's server has, to fill it in minutes.
const FOR_FILLING: [&str; 4] = [
    "SET GLOBAL innodb_buffer_pool_size = 1 << 30",
    "SET GLOBAL innodb_redo_log_capacity = 2 << 30",
    "SET GLOBAL innodb_flush_log_at_trx_commit = 0",
    "SET SESSION innodb_ddl_buffer_size = 256 << 20",
];

/// A schema for each number of orders.
pub async fn fill(admin: &mut Conn, setting: &Setting) -> anyhow::Result<Vec<Setting>> {
    for statement in FOR_FILLING {
        // A server that does not know it takes longer.
        let _ = admin.query_drop(statement).await;
    }
    let mut settings = Vec::new();
    for count in COUNTS {
        let filled = orders::fill(admin, &schema(count), count).await?;
        settings.push(Setting {
            login: filled.login,
            ..setting.clone()
        });
    }
    Ok(settings)
}

/// Drops them.
pub async fn remove(admin: &mut Conn) -> Result<(), mysql_async::Error> {
    for count in COUNTS {
        orders::remove(admin, &schema(count)).await?;
    }
    Ok(())
}

fn schema(count: u64) -> String {
    format!("bench_{count}")
}

/// A page to ask for, again and again.
struct Page {
    name: String,
    function: Function,
    event: Arc<str>,
}

/// Asks for the first page and for one far from it, of a customer with as many orders everywhere and of
/// one with a tenth of all. The floor is the first page where there are fewest orders.
pub fn pages(settings: &[Setting], subjects: &[Subject]) -> anyhow::Result<Vec<Figure>> {
    let template = Template::read()?;
    let routes = &template.function(FUNCTION)?.routes;
    let mut pages = Vec::new();
    for subject in subjects
        .iter()
        .filter(|subject| subject.statement == "list")
    {
        for (setting, count) in settings.iter().zip(COUNTS) {
            let customers = [(BUSY, BUSY_ORDERS), (HUGE, count / 10)];
            // Where there are fewest, all are those of one customer.
            let there = if count > BUSY_ORDERS { 2 } else { 1 };
            for (customer, own) in customers.into_iter().take(there) {
                for page in [1, FAR] {
                    let (function, _) = setting.start(&Subject {
                        event: first_page(customer, routes),
                        ..subject.clone()
                    })?;
                    pages.push(Page {
                        name: format!(
                            "10^{} orders, page {page} of a customer with 10^{}",
                            count.ilog10(),
                            own.ilog10()
                        ),
                        event: event_of(&function, routes, customer, page)?,
                        function,
                    });
                }
            }
        }
    }
    let mut series = Series::default();
    for round in 0..=ROUNDS {
        let mut floor = None;
        for page in &pages {
            let took = median(&page.function.invoke(&page.event, INVOCATIONS)?);
            let floor = *floor.get_or_insert(took);
            if round > 0 {
                series.add(&page.name, took, floor);
            }
        }
    }
    Ok(series.figures("a page of 10 orders, ms").collect())
}

fn path(customer: &str) -> String {
    format!("/customers/{customer}/orders?limit={ORDERS}")
}

fn first_page(customer: &str, routes: &[Route]) -> Arc<str> {
    Event::get(path(customer))
        .payload(routes)
        .to_string()
        .into()
}

/// The event that asks for a page, which takes all pages before it.
fn event_of(
    function: &Function,
    routes: &[Route],
    customer: &str,
    page: usize,
) -> anyhow::Result<Arc<str>> {
    let mut event = first_page(customer, routes);
    for number in 1..=page {
        function.api.send(&event);
        let answer: Value = serde_json::from_str(&function.api.answer()?.body)?;
        let body = answer.pointer("/body").and_then(Value::as_str);
        let body: Value = serde_json::from_str(body.context("no body")?)?;
        let orders = body.pointer("/orders").and_then(Value::as_array);
        ensure!(
            orders.map(Vec::len) == Some(ORDERS),
            "page {number}: {answer}"
        );
        if number < page {
            let next = body.pointer("/next").and_then(Value::as_str);
            let next = Event::get(path(customer)).query("cursor", next.context("no next page")?);
            event = next.payload(routes).to_string().into();
        }
    }
    Ok(event)
}
