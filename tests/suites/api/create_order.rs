//! `POST /orders`.

use serde_json::{Value, json};
use tests::stand_ins::lambda::event::Event;

use crate::client::{
    any_database, assert_is_order, assert_refused, customer, function, place, problem, send, tea,
};

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
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("idempotent-replayed"), None);
}

#[tokio::test]
async fn a_placed_order_is_at_its_location() {
    let placed = send(Event::post("/orders").json(&tea(&customer()))).await;
    let read = send(Event::get(placed.header("location").unwrap())).await;

    assert_eq!(read.status, 200);
    assert_eq!(read.body, placed.body);
    assert_eq!(read.header("etag"), placed.header("etag"));
}

#[tokio::test]
async fn amounts_have_exactly_the_decimals_of_their_currency() {
    for (currency, price, quantity, unit_price, total) in [
        ("EUR", "4.50", 2, "4.50", "9.00"),
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

#[tokio::test]
async fn a_body_may_be_in_base64() {
    let event = Event::post("/orders").json(&tea(&customer())).base64();
    assert_eq!(send(event).await.status, 201);
}

#[tokio::test]
async fn a_body_that_is_not_an_order_in_json_is_400() {
    let deep = "[".repeat(100_000);
    for (case, body) in [
        ("nothing", ""),
        ("not JSON", "customer_id=1"),
        ("truncated", r#"{"customer_id": "a""#),
        ("two values", "{} {}"),
        ("a list", "[]"),
        ("a text", r#""order""#),
        ("null", "null"),
        ("deeply nested", deep.as_str()),
        ("not Unicode", "{\"customer_id\": \"\\ud800\"}"),
    ] {
        let event = Event::post("/orders")
            .header("content-type", "application/json")
            .body(body);
        let answer = send(event).await;
        assert_eq!(answer.status, 400, "{case}");
        problem(&answer, 400);
    }
}

#[tokio::test]
async fn bytes_that_are_not_text_are_400() {
    let event = Event::post("/orders")
        .header("content-type", "application/json")
        .body([b'{', 0xff, 0xfe, b'}']);
    problem(&send(event).await, 400);
}

#[tokio::test]
async fn a_body_of_the_wrong_shape_is_400_and_names_the_field() {
    let item = json!({ "sku": "A", "quantity": 1, "unit_price": "1.00" });
    for (change, field) in [
        (json!({ "customer_id": 7 }), "customer_id"),
        (json!({ "customer_id": null }), "customer_id"),
        (json!({ "currency": ["EUR"] }), "currency"),
        (json!({ "items": item }), "items"),
        (json!({ "items": "A" }), "items"),
        (json!({ "items": ["A"] }), "items[0]"),
        (json!({ "items": [item, null] }), "items[1]"),
        (
            json!({ "items": [changed(&item, "sku", json!(1))] }),
            "items[0].sku",
        ),
        (
            json!({ "items": [changed(&item, "quantity", json!("2"))] }),
            "items[0].quantity",
        ),
        (
            json!({ "items": [changed(&item, "quantity", json!(1.5))] }),
            "items[0].quantity",
        ),
        (
            json!({ "items": [changed(&item, "quantity", json!(null))] }),
            "items[0].quantity",
        ),
        (json!({ "items": [["A", 1, "1.00"]] }), "items[0]"),
        (
            json!({ "items": [changed(&item, "unit_price", json!(4.5))] }),
            "items[0].unit_price",
        ),
    ] {
        let mut order = tea(&customer());
        for (name, value) in change.as_object().unwrap() {
            order[name] = value.clone();
        }
        let answer = send(Event::post("/orders").json(&order)).await;
        assert_eq!(answer.status, 400, "{change}");
        assert_refused(&answer, 400, field);
    }
}

#[tokio::test]
async fn a_missing_field_is_400_and_is_named() {
    for (pointer, name, field) in [
        ("", "customer_id", "customer_id"),
        ("", "currency", "currency"),
        ("", "items", "items"),
        ("/items/0", "sku", "items[0].sku"),
        ("/items/0", "quantity", "items[0].quantity"),
        ("/items/0", "unit_price", "items[0].unit_price"),
    ] {
        let mut order = tea(&customer());
        let object = order.pointer_mut(pointer).unwrap();
        object.as_object_mut().unwrap().remove(name);
        let answer = send(Event::post("/orders").json(&order)).await;
        assert_refused(&answer, 400, field);
    }
}

#[tokio::test]
async fn an_unknown_field_is_400_and_is_named() {
    for (pointer, field) in [("", "total"), ("/items/0", "items[0].total")] {
        let mut order = tea(&customer());
        order.pointer_mut(pointer).unwrap()["total"] = json!("0.01");
        let answer = send(Event::post("/orders").json(&order)).await;
        assert_refused(&answer, 400, field);
    }
}

#[tokio::test]
async fn a_repeated_field_is_400() {
    let body = tea(&customer())
        .to_string()
        .replacen('{', r#"{"currency": "USD","#, 1);
    let event = Event::post("/orders")
        .header("content-type", "application/json")
        .body(body);
    assert_refused(&send(event).await, 400, "currency");
}

#[tokio::test]
async fn a_value_that_breaks_a_rule_is_422_and_names_the_field() {
    let item = json!({ "sku": "A", "quantity": 1, "unit_price": "1.00" });
    let with = |name: &str, value: Value| json!({ "items": [changed(&item, name, value)] });
    let long = "x".repeat(65);
    let too_long_for_a_customer = "x".repeat(256);
    let quantity = "items[0].quantity";
    let price = "items[0].unit_price";
    for (change, field) in [
        (json!({ "customer_id": "" }), "customer_id"),
        (
            json!({ "customer_id": too_long_for_a_customer }),
            "customer_id",
        ),
        (json!({ "customer_id": "a b" }), "customer_id"),
        (json!({ "customer_id": " a" }), "customer_id"),
        (json!({ "customer_id": "a\u{200b}" }), "customer_id"),
        (json!({ "customer_id": "a\u{0}b" }), "customer_id"),
        (json!({ "customer_id": "🍵" }), "customer_id"),
        (json!({ "customer_id": "' OR '1'='1" }), "customer_id"),
        (json!({ "currency": "XYZ" }), "currency"),
        (json!({ "currency": "eur" }), "currency"),
        (json!({ "currency": "" }), "currency"),
        (json!({ "currency": "XAU" }), "currency"),
        (json!({ "items": [] }), "items"),
        (json!({ "items": vec![&item; 101] }), "items"),
        (with("sku", json!("")), "items[0].sku"),
        (with("sku", json!(long)), "items[0].sku"),
        (with("sku", json!("A\u{0}")), "items[0].sku"),
        (with("sku", json!("A\nB")), "items[0].sku"),
        (with("sku", json!(" A")), "items[0].sku"),
        (with("quantity", json!(0)), quantity),
        (with("quantity", json!(-1)), quantity),
        (with("quantity", json!(1_000_001)), quantity),
        (with("quantity", json!(4_294_967_297_i64)), quantity),
        (with("quantity", json!(-0.0)), quantity),
        (with("quantity", json!(i64::MAX)), quantity),
        (with("quantity", json!(u64::MAX)), quantity),
        (with("quantity", json!(1e30)), quantity),
        (with("quantity", json!(-1e30)), quantity),
        (with("unit_price", json!("4.505")), price),
        (with("unit_price", json!("-1.00")), price),
        (with("unit_price", json!("+1.00")), price),
        (with("unit_price", json!("1e3")), price),
        (with("unit_price", json!("1,00")), price),
        (with("unit_price", json!("")), price),
        (with("unit_price", json!("NaN")), price),
        (with("unit_price", json!("1.")), price),
        (with("unit_price", json!(".5")), price),
        (with("unit_price", json!("01.00")), price),
        (with("unit_price", json!("10000000000.00")), price),
        (with("unit_price", json!("9".repeat(200))), price),
        // The total, 10000000000.00, is one cent too much.
        (
            json!({ "items": [
                changed(&item, "unit_price", json!("9999999999.99")),
                changed(&item, "unit_price", json!("0.01"))
            ] }),
            "items",
        ),
        (
            json!({ "items": vec![
                json!({ "sku": "A", "quantity": 1_000_000, "unit_price": "9999999999.99" }); 100
            ] }),
            "items",
        ),
    ] {
        let mut order = tea(&customer());
        for (name, value) in change.as_object().unwrap() {
            order[name] = value.clone();
        }
        let answer = send(Event::post("/orders").json(&order)).await;
        assert_eq!(answer.status, 422, "{change}: {}", answer.body);
        assert_refused(&answer, 422, field);
    }
}

#[tokio::test]
async fn a_sku_with_invisible_characters_is_422() {
    for hidden in [
        "\u{ad}",
        "\u{200b}",
        "\u{200d}",
        "\u{200e}",
        "\u{200f}",
        "\u{202e}",
        "\u{2028}",
        "\u{2060}",
        "\u{2066}",
        "\u{feff}",
        "\u{fe0f}",
        "\u{3164}",
        "\u{2800}",
        "\u{301}",
        "\u{a0}",
        "\u{e0041}",
        "\u{7f}",
        "\u{5d0}",
        "\u{627}",
        "\u{0}",
        "\t",
    ] {
        for sku in [
            format!("TEA{hidden}-1"),
            format!("{hidden}TEA-1"),
            format!("TEA-1{hidden}"),
        ] {
            let mut order = tea(&customer());
            order["items"][0]["sku"] = json!(sku);
            let answer = send(Event::post("/orders").json(&order)).await;
            assert_eq!(answer.status, 422, "{sku:?}");
            assert_refused(&answer, 422, "items[0].sku");
        }
    }
}

/// An order with these digits as its quantity, which no JSON library would write.
fn with_quantity(customer: &str, digits: &str) -> Event {
    let body = tea(customer).to_string();
    let body = body.replace(r#""quantity":2"#, &format!(r#""quantity":{digits}"#));
    Event::post("/orders")
        .header("content-type", "application/json")
        .body(body)
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point_or_an_exponent() {
    for (digits, quantity) in [
        ("1.0", 1),
        ("2.000", 2),
        ("1e0", 1),
        ("1E2", 100),
        ("0.5e1", 5),
        ("1000000.0", 1_000_000),
    ] {
        let answer = send(with_quantity(&customer(), digits)).await;
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
        "-1",
        "1000001",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "1e300",
        "1e400",
        "-1e400",
        "1e99999999999999999999",
        &endless,
    ] {
        let answer = send(with_quantity(&customer(), digits)).await;
        assert_eq!(answer.status, 422, "{digits}: {}", answer.body);
        assert_refused(&answer, 422, "items[0].quantity");
    }
    for digits in [
        "1.5", "0.1", "1e-1", "01", "+1", "1.", ".5", "0x1", "NaN", "Infinity",
    ] {
        let answer = send(with_quantity(&customer(), digits)).await;
        assert_eq!(answer.status, 400, "{digits}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_currency_limits_the_decimals() {
    for (currency, price) in [
        ("JPY", "1.5"),
        ("JPY", "1.0"),
        ("EUR", "1.001"),
        ("BHD", "1.0001"),
    ] {
        let mut order = tea(&customer());
        order["currency"] = json!(currency);
        order["items"][0]["unit_price"] = json!(price);
        let answer = send(Event::post("/orders").json(&order)).await;
        assert_refused(&answer, 422, "items[0].unit_price");
    }
}

#[tokio::test]
async fn a_problem_repeats_no_value_of_the_request() {
    let mut order = tea(&customer());
    order["items"][0]["unit_price"] = json!("hunter2hunter2");
    let answer = send(Event::post("/orders").json(&order)).await;

    problem(&answer, 422);
    assert!(!format!("{answer:?}").contains("hunter2"));
}

#[tokio::test]
async fn only_json_is_accepted() {
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json, application/json",
        "json",
        "",
    ] {
        let event = Event::post("/orders")
            .header("content-type", content_type)
            .body(tea(&customer()).to_string());
        let answer = send(event).await;
        assert_eq!(answer.status, 415, "{content_type}");
        assert_refused(&answer, 415, "Content-Type");
    }
    let without = Event::post("/orders").body(tea(&customer()).to_string());
    assert_refused(&send(without).await, 415, "Content-Type");
}

#[tokio::test]
async fn other_forms_of_json_are_accepted() {
    for content_type in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/json;charset=UTF-8",
        "application/json; charset=utf8",
        "application/json; charset=latin1",
        "application/json;",
        "application/vnd.orders+json",
    ] {
        let event = Event::post("/orders")
            .header("content-type", content_type)
            .body(tea(&customer()).to_string());
        assert_eq!(send(event).await.status, 201, "{content_type}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_415() {
    for encoding in ["gzip", "br", "deflate", "identity, gzip"] {
        let event = Event::post("/orders")
            .header("content-type", "application/json")
            .header("content-encoding", encoding)
            .body([0x1f, 0x8b, 0x08, 0x00, 0xff]);
        let answer = send(event).await;
        assert_refused(&answer, 415, "Content-Encoding");
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
    }
    let plain = Event::post("/orders")
        .header("content-encoding", "identity")
        .json(&tea(&customer()));
    assert_eq!(send(plain).await.status, 201);
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
    let post = |body: String| {
        Event::post("/orders")
            .header("content-type", "application/json")
            .body(body)
    };
    // An order may be padded with white space. If it is read, the answer is 201.
    let order = tea(&customer()).to_string();
    let padded = |length: usize| format!("{order}{}", " ".repeat(length - order.len()));

    assert_eq!(send(post(padded(LIMIT))).await.status, 201);
    assert_eq!(send(post(padded(LIMIT)).base64()).await.status, 201);
    problem(&send(post(padded(LIMIT + 1))).await, 413);
    problem(&send(post(padded(LIMIT + 1)).base64()).await, 413);
    problem(&send(post("x".repeat(1024 * 1024))).await, 413);
}

fn changed(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

#[tokio::test]
async fn another_method_is_405_and_places_nothing() {
    let customer = customer();
    let database = any_database().await;
    let create = function("create-order", &database).start().await.unwrap();
    let list = function("list-orders", &database).start().await.unwrap();
    for method in ["DELETE", "PUT", "GET"] {
        let event = Event::new(method, "/orders").json(&tea(&customer));
        let answer = create.invoke(event.function_url()).await.unwrap();
        problem(&answer, 405);
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    let page = Event::get(format!("/customers/{customer}/orders"));
    let page = list.invoke(page).await.unwrap();
    assert_eq!(page.body["orders"], json!([]));
}
