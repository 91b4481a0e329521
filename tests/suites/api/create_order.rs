//! `POST /orders`.

use serde_json::{Value, json};
use tests::stand_ins::lambda::Answer;
use tests::stand_ins::lambda::event::Event;

use crate::client::{assert_is_order, assert_refused, customer, place, problem, send, tea};

#[tokio::test]
async fn an_order_is_placed() {
    let customer = customer();
    let answer = send(Event::post("/orders").json(&tea(&customer))).await;

    assert_eq!(answer.status, 201);
    assert_is_order(
        &answer.body,
        &json!({
            "customer_id": customer,
            "status": "pending",
            "currency": "EUR",
            "items": [{ "sku": "TEA-1", "quantity": 2, "unit_price": "4.50" }],
            "total": "9.00",
            "version": 1
        }),
    );
    assert_eq!(answer.body["created_at"], answer.body["updated_at"]);
    let location = format!("/orders/{}", answer.body["id"].as_str().unwrap());
    for (name, value) in [
        ("location", Some(location.as_str())),
        ("etag", Some("\"1\"")),
        ("content-type", Some("application/json")),
        ("cache-control", Some("private, no-cache")),
        ("idempotent-replayed", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let read = send(Event::get(location)).await;
    assert_eq!((read.status, read.body), (200, answer.body));
}

#[tokio::test]
async fn amounts_have_exactly_the_decimals_of_their_currency() {
    for (currency, price, quantity, unit_price, total) in [
        ("EUR", "4.5", 2, "4.50", "9.00"),
        ("EUR", "4", 3, "4.00", "12.00"),
        ("EUR", "0", 1, "0.00", "0.00"),
        ("JPY", "450", 2, "450", "900"),
        ("BHD", "1.234", 3, "1.234", "3.702"),
        ("CLF", "0.0001", 7, "0.0001", "0.0007"),
        ("EUR", "9999999999.99", 1, "9999999999.99", "9999999999.99"),
        ("JPY", "9999", 1_000_000, "9999", "9999000000"),
        // In floating point the sum would be 0.30000000000000004.
        ("USD", "0.10", 3, "0.10", "0.30"),
    ] {
        let order = json!({
            "customer_id": customer(),
            "currency": currency,
            "items": [{ "sku": "A", "quantity": quantity, "unit_price": price }]
        });
        let placed = place(&order).await;

        let case = format!("{quantity} for {price} {currency}");
        assert_eq!(placed["items"][0]["unit_price"], unit_price, "{case}");
        assert_eq!(placed["total"], total, "{case}");
    }
}

#[tokio::test]
async fn items_keep_their_sequence_and_quantities() {
    let items: Vec<Value> = (0..100)
        .map(|number| {
            let sku = format!("SKU-{}", 99 - number);
            json!({ "sku": sku, "quantity": number + 1, "unit_price": "0.01" })
        })
        .collect();
    let mut order = tea(&customer());
    order["items"] = json!(items);
    let placed = send(Event::post("/orders").json(&order)).await;
    let read = send(Event::get(placed.header("location").unwrap())).await;

    assert_eq!(placed.body["total"], "50.50");
    assert_eq!(read.body["items"], order["items"]);
}

#[tokio::test]
async fn a_sku_is_kept_unchanged() {
    let customer = customer();
    for sku in [
        "'; DROP TABLE orders; --",
        "\" OR 1=1 /*",
        "a\\'b",
        "%s%n{0}?",
        "<script>alert(1)</script>",
        "🍵 grün 茶",
        "👩🏽",
        "a  b",
    ] {
        let mut order = tea(&customer);
        order["items"][0]["sku"] = json!(sku);
        let placed = send(Event::post("/orders").json(&order)).await;
        let read = send(Event::get(placed.header("location").unwrap())).await;

        assert_eq!(read.body["items"][0]["sku"], sku);
    }
}

/// A body as a client writes it, with one item.
const ORDER: &str = r#"{"currency":"EUR","customer_id":"cust-1","items":[ITEM]}"#;
const ITEM: &str = r#"{"quantity":2,"sku":"TEA-1","unit_price":"4.50"}"#;

/// The order with this text in place of the other.
fn written(right: &str, wrong: &str) -> String {
    let item = ITEM.replacen(right, wrong, 1);
    ORDER.replacen(right, wrong, 1).replace("ITEM", &item)
}

/// Sends a body that is said to be JSON.
async fn post(body: impl Into<Vec<u8>>) -> Answer {
    let event = Event::post("/orders").header("content-type", "application/json");
    send(event.body(body)).await
}

#[tokio::test]
async fn a_body_that_is_not_an_order_in_json_is_400() {
    let deep = "[".repeat(100_000);
    let goes_on = format!("{} {{}}", tea("cust-1"));
    for body in [
        "",
        " ",
        "customer_id=1",
        r#"{"customer_id": "a""#,
        "{'items': []}",
        &goes_on,
        "[]",
        r#"["EUR", "cust-1", []]"#,
        r#""order""#,
        "null",
        "7",
        &deep,
        "{\"customer_id\": \"\\ud800\"}",
    ] {
        let problem = problem(&post(body).await, 400);
        assert_eq!(problem.field, None, "{body}");
    }
    problem(&post([b'{', 0xff, 0xfe, b'}']).await, 400);
    let garbled = Event::post("/orders").json(&json!({})).base64();
    problem(&send(garbled.with_value("/body", json!("{}"))).await, 400);
}

#[tokio::test]
async fn a_body_of_the_wrong_shape_is_400_and_names_the_field() {
    let quantity = "items[0].quantity";
    for (right, wrong, field) in [
        (r#""cust-1""#, "7", "customer_id"),
        (r#""cust-1""#, "null", "customer_id"),
        (r#""customer_id":"cust-1","#, "", "customer_id"),
        (r#""EUR""#, r#"["EUR"]"#, "currency"),
        (r#""currency":"EUR","#, "", "currency"),
        (r#"{"cur"#, r#"{"currency":"USD","cur"#, "currency"),
        (r#"{"cur"#, r#"{"total":"0.01","cur"#, "total"),
        (r#","items":[ITEM]"#, "", "items"),
        ("[ITEM]", "ITEM", "items"),
        ("[ITEM]", r#""A""#, "items"),
        ("ITEM]", "ITEM,null]", "items[1]"),
        ("ITEM", r#""A""#, "items[0]"),
        ("ITEM", r#"["A",1,"1.00"]"#, "items[0]"),
        (r#"{"q"#, r#"{"total":"0.01","q"#, "items[0].total"),
        (r#""sku":"TEA-1","#, "", "items[0].sku"),
        (r#""TEA-1""#, "1", "items[0].sku"),
        (r#""quantity":2,"#, "", quantity),
        (":2", r#":"2""#, quantity),
        (":2", ":null", quantity),
        (":2", ":1.5", quantity),
        (":2", ":0.1", quantity),
        (":2", ":1e-1", quantity),
        (r#","unit_price":"4.50""#, "", "items[0].unit_price"),
        (r#""4.50""#, "4.5", "items[0].unit_price"),
    ] {
        assert_refused(&post(written(right, wrong)).await, 400, field);
    }
    for digits in ["01", "+1", "1.", ".5", "0x1", "NaN", "Infinity"] {
        let body = written(":2", &format!(":{digits}"));
        problem(&post(body).await, 400);
    }
}

#[tokio::test]
async fn a_value_that_breaks_a_rule_is_422_and_names_the_field() {
    let (long, endless) = ("x".repeat(65), "9".repeat(200));
    let long_customer = "x".repeat(256);
    for (right, field, wrong) in [
        (
            "cust-1",
            "customer_id",
            &["", "a b", " a", "a\u{200b}", "a\0b", "🍵", &long_customer][..],
        ),
        ("EUR", "currency", &["XYZ", "eur", "", "XAU"]),
        (
            "TEA-1",
            "items[0].sku",
            &[
                "",
                " A",
                "A\0",
                "A\nB",
                "A\u{200b}B",
                "A\u{301}",
                "\u{5d0}A",
                "A\u{a0}",
                &long,
            ],
        ),
        (
            "4.50",
            "items[0].unit_price",
            &[
                "4.505",
                "-1.00",
                "+1.00",
                "1e3",
                "1,00",
                "",
                "NaN",
                "1.",
                ".5",
                "01.00",
                &endless,
                "10000000000.00",
            ],
        ),
    ] {
        for wrong in wrong {
            let body = written(&format!("\"{right}\""), &json!(wrong).to_string());
            assert_refused(&post(body).await, 422, field);
        }
    }
    for (currency, price) in [("JPY", "1.5"), ("JPY", "1.0"), ("BHD", "1.0001")] {
        let body = written("EUR", currency).replace("4.50", price);
        assert_refused(&post(body).await, 422, "items[0].unit_price");
    }
    // The total, 10000000000.00, is one cent too much.
    let dear = [("4.50", "9999999999.99"), (":2", ":1")];
    let dear = dear.iter().fold(ITEM.to_owned(), |item, (right, wrong)| {
        item.replace(right, wrong)
    });
    let cheap = dear.replace("9999999999.99", "0.01");
    let many = vec![dear.replace(":1,", ":1000000,"); 100].join(",");
    let too_many = vec![ITEM; 101].join(",");
    for items in ["", &format!("{dear},{cheap}"), &many, &too_many] {
        assert_refused(&post(ORDER.replace("ITEM", items)).await, 422, "items");
    }
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point_or_an_exponent() {
    for (digits, quantity) in [
        ("1.0", 1),
        ("2.000", 2),
        ("1e0", 1),
        ("1E2", 100),
        ("0.5e1", 5),
        ("200E-2", 2),
        ("1000000.0", 1_000_000),
    ] {
        let answer = post(written(":2", &format!(":{digits}"))).await;
        assert_eq!(answer.status, 201, "{digits}: {}", answer.body);
        assert_eq!(answer.body["items"][0]["quantity"], quantity, "{digits}");
    }
}

#[tokio::test]
async fn a_number_outside_the_bounds_is_422_whatever_its_size() {
    let endless = "9".repeat(1000);
    for digits in [
        "0",
        "-0",
        "-0.0",
        "0e0",
        "0e999",
        "-1",
        "1000001",
        "4294967297",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "1e300",
        "-1e400",
        "1e99999999999999999999",
        &endless,
    ] {
        let answer = post(written(":2", &format!(":{digits}"))).await;
        assert_refused(&answer, 422, "items[0].quantity");
    }
}

#[tokio::test]
async fn a_problem_repeats_no_value_of_the_request() {
    for (right, wrong) in [
        ("4.50", "hunter2"),
        (r#""4.50""#, r#"{"hunter2": 1}"#),
        (":2", r#":"hunter2, expected hunter2""#),
        (":2", r#":"hunter2 at line 1""#),
        (":2", ":hunter2"),
        ("ITEM", r#""hunter2""#),
        ("[ITEM]", r#""hunter2""#),
        (ORDER, r#""hunter2""#),
    ] {
        let answer = post(written(right, wrong)).await;
        assert!(matches!(answer.status, 400 | 422), "{wrong}");
        assert!(!format!("{answer:?}").contains("hunter2"), "{answer:?}");
    }
}

#[tokio::test]
async fn the_content_type_must_be_json_whatever_its_parameters() {
    for (content_type, accepted) in [
        ("application/json", true),
        ("Application/JSON", true),
        (" application/json ", true),
        ("application/json;", true),
        ("application/json; charset=utf-8", true),
        ("application/json;charset=\"UTF-8\"", true),
        ("application/json; charset=latin1", true),
        ("application/json; charset", true),
        ("application/json ; profile=orders", true),
        ("application/merge-patch+json", true),
        ("application/vnd.orders.v1+json", true),
        ("", false),
        ("text/plain", false),
        ("text/json", false),
        ("application/x-www-form-urlencoded", false),
        ("application/xml", false),
        ("multipart/form-data; boundary=x", false),
        ("application/jsonp", false),
        ("application/+json", false),
        ("application/a b+json", false),
        ("application/json, application/json", false),
        ("json", false),
    ] {
        let event = Event::post("/orders").header("content-type", content_type);
        let answer = send(event.body(tea(&customer()).to_string())).await;
        match accepted {
            true => assert_eq!(answer.status, 201, "{content_type}"),
            false => assert_refused(&answer, 415, "Content-Type"),
        }
    }
    let without = Event::post("/orders").body(tea(&customer()).to_string());
    assert_refused(&send(without).await, 415, "Content-Type");
}

#[tokio::test]
async fn a_compressed_body_is_415_whatever_its_bytes() {
    let compressed: &[u8] = &[0x1f, 0x8b, 0x08, 0x00, 0xff];
    for encoding in [
        "gzip",
        "GZIP",
        "br",
        "deflate",
        "zstd",
        "identity, gzip",
        "x",
    ] {
        for body in [compressed, ORDER.as_bytes()] {
            let event = Event::post("/orders")
                .header("content-type", "application/json")
                .header("content-encoding", encoding)
                .body(body);
            let answer = send(event).await;
            assert_refused(&answer, 415, "Content-Encoding");
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
    }
    for encoding in ["identity", "Identity", "", "identity, identity"] {
        let plain = Event::post("/orders").header("content-encoding", encoding);
        let answer = send(plain.json(&tea(&customer()))).await;
        assert_eq!(answer.status, 201, "{encoding}");
    }
}

#[tokio::test]
async fn a_new_order_cannot_already_exist() {
    for (name, value, status) in [
        ("if-match", "*", 412),
        ("if-match", "\"1\"", 412),
        ("if-none-match", "*", 201),
    ] {
        let event = Event::post("/orders").header(name, value);
        let answer = send(event.json(&tea(&customer()))).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_body_over_256_kib_is_413_before_it_is_parsed() {
    const LIMIT: usize = 256 * 1024;
    let event = |body: String| {
        let event = Event::post("/orders").header("content-type", "application/json");
        event.body(body)
    };
    // An order may be padded with white space, and begin with a byte order mark. If it is read, the
    // answer is 201.
    let order = format!("\u{feff}{}", tea(&customer()));
    let padded = |length: usize| event(format!("{order}{}", " ".repeat(length - order.len())));

    assert_eq!(send(padded(LIMIT)).await.status, 201);
    assert_eq!(send(padded(LIMIT).base64()).await.status, 201);
    let long = "!".repeat(LIMIT / 3 * 4 + 8);
    for too_large in [
        padded(LIMIT + 1),
        padded(LIMIT + 1).base64(),
        event("x".repeat(1024 * 1024)),
        // It is not decoded, so it need not be valid base64.
        event(String::new())
            .base64()
            .with_value("/body", json!(long)),
    ] {
        problem(&send(too_large).await, 413);
    }
}
