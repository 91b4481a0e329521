//! `GET /customers/{customer_id}/orders`.

use serde_json::{Value, json};
use tests::stand_ins::lambda::Answer;
use tests::stand_ins::lambda::event::Event;

use crate::client::{assert_is_order, assert_refused, change, customer, path_of, place, send, tea};

fn list(customer: &str) -> Event {
    Event::get(format!("/customers/{customer}/orders"))
}

fn ids(orders: &Value) -> Vec<&str> {
    let orders = orders.as_array().unwrap().iter();
    orders.map(|order| order["id"].as_str().unwrap()).collect()
}

/// A customer with this number of orders, and the orders' ids, newest first.
async fn customer_with(number: usize) -> (String, Vec<String>) {
    let customer = customer();
    let mut orders = Vec::new();
    for _ in 0..number {
        let order = place(&tea(&customer)).await;
        orders.push(order["id"].as_str().unwrap().to_owned());
    }
    orders.reverse();
    (customer, orders)
}

/// All pages of a list, found by its cursors.
async fn pages(first: Event) -> Vec<Answer> {
    let mut pages = vec![send(first.clone()).await];
    while let Some(next) = pages[pages.len() - 1].body["next"].as_str() {
        let page = send(first.clone().query("cursor", next)).await;
        assert_eq!(page.status, 200, "{page:?}");
        pages.push(page);
        assert!(pages.len() < 100, "the list has no end");
    }
    pages
}

#[tokio::test]
async fn orders_are_listed_newest_first_without_their_items() {
    let (customer, orders) = customer_with(3).await;
    let answer = send(list(&customer)).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(ids(&answer.body["orders"]), orders);
    assert_is_order(
        &answer.body["orders"][0],
        &json!({
            "customer_id": customer,
            "status": "pending",
            "currency": "EUR",
            "total": "9.00",
            "version": 1
        }),
    );
    let names: Vec<_> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["next", "orders"]);
    assert_eq!(answer.body["next"], Value::Null);
    // Customers that differ in case are different.
    let other = send(list(&customer.to_uppercase())).await;
    assert_eq!(other.status, 200);
    assert_eq!(other.body, json!({ "orders": [], "next": null }));
}

#[tokio::test]
async fn a_page_has_twenty_orders_by_default() {
    let (customer, orders) = customer_with(21).await;
    let pages = pages(list(&customer)).await;

    assert_eq!(ids(&pages[0].body["orders"]), orders[..20]);
    assert_eq!(ids(&pages[1].body["orders"]), orders[20..]);
    assert_eq!(pages.len(), 2);
}

#[tokio::test]
async fn every_order_is_on_exactly_one_page() {
    let (customer, orders) = customer_with(7).await;
    for limit in ["1", "2", "3", "6", "7", "8", "100"] {
        let pages = pages(list(&customer).query("limit", limit)).await;
        let found: Vec<_> = pages
            .iter()
            .flat_map(|page| ids(&page.body["orders"]))
            .collect();

        assert_eq!(found, orders, "with pages of {limit}");
        let number = orders.len().div_ceil(limit.parse().unwrap());
        assert_eq!(pages.len(), number, "with pages of {limit}");
    }
}

#[tokio::test]
async fn a_new_order_does_not_shift_later_pages() {
    let (customer, orders) = customer_with(4).await;
    let first = send(list(&customer).query("limit", "2")).await;
    place(&tea(&customer)).await;
    let cursor = first.body["next"].as_str().unwrap();
    let second = send(list(&customer).query("limit", "2").query("cursor", cursor)).await;

    assert_eq!(ids(&second.body["orders"]), orders[2..]);
}

#[tokio::test]
async fn a_list_can_be_limited_to_one_status() {
    let (customer, orders) = customer_with(4).await;
    for id in [&orders[1], &orders[3]] {
        let paid = change(&format!("/orders/{id}"), 1, "paid");
        assert_eq!(send(paid).await.status, 200);
    }
    for (status, expected) in [
        ("paid", vec![&orders[1], &orders[3]]),
        ("pending", vec![&orders[0], &orders[2]]),
        ("shipped", vec![]),
        ("delivered", vec![]),
        ("cancelled", vec![]),
    ] {
        let pages = pages(list(&customer).query("status", status).query("limit", "1")).await;
        let found: Vec<_> = pages
            .iter()
            .flat_map(|page| ids(&page.body["orders"]))
            .collect();
        assert_eq!(found, expected, "{status}");
        for order in pages[0].body["orders"].as_array().unwrap() {
            assert_eq!(order["status"], status);
        }
    }
}

#[tokio::test]
async fn a_customer_id_may_come_from_any_identity_provider() {
    let number = customer();
    for (id, encoded) in [
        (format!("auth0|{number}"), format!("auth0%7C{number}")),
        (
            format!("{number}@example.com"),
            format!("{number}%40example.com"),
        ),
        (format!("a.b_c:{number}"), format!("a.b_c%3A{number}")),
        (
            format!("alice+test@{number}"),
            format!("alice%2Btest%40{number}"),
        ),
        (
            format!("https://issuer.example/{number}?a=1#2"),
            format!("https%3A%2F%2Fissuer.example%2F{number}%3Fa%3D1%232"),
        ),
        (format!("100%25{number}"), format!("100%2525{number}")),
        (format!("{number:!<255}"), format!("{number:!<255}")),
    ] {
        let placed = place(&tea(&id)).await;
        for event in [list(&encoded), list(&encoded).function_url()] {
            let answer = send(event).await;
            assert_eq!(
                ids(&answer.body["orders"]),
                [placed["id"].as_str().unwrap()],
                "{id}"
            );
        }
    }
}

#[tokio::test]
async fn a_customer_id_that_breaks_the_rule_is_400() {
    for id in [
        "a%20b",
        "a%20",
        "a%09",
        "%00",
        "a%00b",
        "a%7F",
        "%F0%9F%8D%B5",
        "%ff",
        "'%20OR%20'1'='1",
        "a%0d%0ab",
        "%E2%80%8B",
        &"x".repeat(256),
    ] {
        for event in [list(id), list(id).function_url()] {
            assert_refused(&send(event).await, 400, "customer_id");
        }
    }
}

#[tokio::test]
async fn a_parameter_without_a_value_is_ignored() {
    let (customer, orders) = customer_with(3).await;
    for query in [
        "?limit=",
        "?cursor=",
        "?status=",
        "?limit=&cursor=&status=",
        "?limit&cursor",
        "?",
    ] {
        let answer = send(Event::get(format!("/customers/{customer}/orders{query}"))).await;
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(ids(&answer.body["orders"]), orders, "{query}");
    }
}

#[tokio::test]
async fn a_list_has_no_version() {
    for (name, value, status) in [
        ("if-none-match", "\"1\"", 200),
        ("if-none-match", "*", 304),
        ("if-match", "*", 200),
        ("if-match", "\"99\"", 412),
    ] {
        let answer = send(list(&customer()).header(name, value)).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_wrong_limit_or_status_is_400() {
    for (name, values) in [
        (
            "limit",
            &[
                "0",
                "-1",
                "101",
                "abc",
                "1.5",
                "1e1",
                "0x10",
                "+5",
                "05",
                " 5",
                "٣",
                "4294967297",
            ][..],
        ),
        (
            "status",
            &["open", "PAID", "paid ", "paid,paid", "' OR 1=1", "🍵", "\0"],
        ),
    ] {
        for value in values {
            let answer = send(list(&customer()).query(name, value)).await;
            assert_refused(&answer, 400, name);
        }
    }
    let twice = send(list(&customer()).query("limit", "1").query("limit", "2")).await;
    assert_refused(&twice, 400, "limit");
}

#[tokio::test]
async fn a_cursor_from_elsewhere_is_400() {
    let (customer, orders) = customer_with(2).await;
    let (other, _) = customer_with(2).await;
    let next = |answer: Answer| answer.body["next"].as_str().unwrap().to_owned();
    let own = next(send(list(&customer).query("limit", "1")).await);
    let of_another = next(send(list(&other).query("limit", "1")).await);
    let of_a_status = next(
        send(
            list(&customer)
                .query("limit", "1")
                .query("status", "pending"),
        )
        .await,
    );
    let mut changed = own.clone();
    let last = if changed.pop() == Some('A') { 'Q' } else { 'A' };
    changed.push(last);

    for cursor in [
        "abc",
        "1",
        "!!!",
        "🍵",
        "\u{0}",
        "' OR 1=1 --",
        orders[0].as_str(),
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &"A".repeat(5000),
        &own[1..],
        &changed,
        &of_another,
        &of_a_status,
    ] {
        let answer = send(list(&customer).query("cursor", cursor)).await;
        assert_refused(&answer, 400, "cursor");
    }
    let answer = send(list(&customer).query("cursor", &own)).await;
    assert_eq!(answer.status, 200);
    let answer = send(
        list(&customer)
            .query("cursor", &own)
            .query("status", "paid"),
    )
    .await;
    assert_refused(&answer, 400, "cursor");
}

#[tokio::test]
async fn a_cursor_works_with_another_limit() {
    let (customer, orders) = customer_with(4).await;
    let first = send(list(&customer).query("limit", "1")).await;
    let cursor = first.body["next"].as_str().unwrap();
    let rest = send(list(&customer).query("limit", "50").query("cursor", cursor)).await;
    assert_eq!(ids(&rest.body["orders"]), orders[1..]);
}

#[tokio::test]
async fn a_change_shows_in_the_list() {
    let customer = customer();
    let order = place(&tea(&customer)).await;
    let mut paid = send(change(&path_of(&order), 1, "paid")).await.body;
    paid.as_object_mut().unwrap().remove("items");

    assert_eq!(send(list(&customer)).await.body["orders"][0], paid);
}
