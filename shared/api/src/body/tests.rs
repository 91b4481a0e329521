use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Basket<'a> {
    #[serde(borrow)]
    owner: Option<&'a str>,
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Line {
    quantity: u32,
    price: String,
    gift: Option<bool>,
    weight: Option<f64>,
    lines: Option<Box<Line>>,
}

fn parse(body: &str) -> Result<(), Value> {
    content(
        Body::parse(Some(body.to_owned()), false),
        Some("application/json"),
    )
}

fn content(body: Body, content_type: Option<&str>) -> Result<(), Value> {
    let headers = content_type.map(|value| ("content-type", value));
    with_headers(&body, headers.as_slice())
}

fn headers(headers: &[(&str, &str)]) -> Headers {
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Headers::new(headers.collect())
}

fn with_headers(body: &Body, sent: &[(&str, &str)]) -> Result<(), Value> {
    body.json::<Basket<'_>>(&headers(sent))
        .map(drop)
        .map_err(|problem| {
            serde_json::from_slice(&problem.into_response("").body.unwrap()).unwrap()
        })
}

fn status(outcome: Result<(), Value>) -> u64 {
    outcome.map_or_else(|problem| problem["status"].as_u64().unwrap(), |()| 200)
}

#[test]
fn json_borrows_from_the_body() {
    let body = Body::parse(Some(r#"{"owner": "me", "lines": []}"#.to_owned()), false);
    let json = headers(&[("content-type", "application/json")]);
    let basket: Basket<'_> = body.json(&json).unwrap();
    assert_eq!(
        basket,
        Basket {
            owner: Some("me"),
            lines: vec![]
        }
    );
}

#[test]
fn the_field_is_named_by_its_path() {
    let line = |line: &str| format!(r#"{{"lines": [{{"quantity": 1, "price": "1"}}, {line}]}}"#);
    let cases = [
        (line(r#"{"price": "1"}"#), "lines[1].quantity", "is missing"),
        (
            line(r#"{"quantity": "x", "price": "1"}"#),
            "lines[1].quantity",
            "must be a whole number within its range",
        ),
        (
            line(r#"{"quantity": -1, "price": "1"}"#),
            "lines[1].quantity",
            "must be a whole number within its range",
        ),
        (
            line(r#"{"quantity": 1.5, "price": "1"}"#),
            "lines[1].quantity",
            "must be a whole number within its range",
        ),
        (
            line(r#"{"quantity": 1, "price": 1}"#),
            "lines[1].price",
            "must be a string",
        ),
        (
            line(r#"{"quantity": 1, "price": null}"#),
            "lines[1].price",
            "must be a string",
        ),
        (
            line(r#"{"quantity": 1, "price": "1", "gift": "yes"}"#),
            "lines[1].gift",
            "must be true or false",
        ),
        (
            line(r#"{"quantity": 1, "price": "1", "weight": "1"}"#),
            "lines[1].weight",
            "must be a number",
        ),
        (
            line(r#"{"quantity": 1, "price": "1", "colour": "red"}"#),
            "lines[1].colour",
            "is not a field that is known here",
        ),
        (
            line(r#"{"quantity": 1, "price": "1", "quantity": 2}"#),
            "lines[1].quantity",
            "is given twice",
        ),
        (
            line(r#"{"quantity": 1, "price": "1", "lines": {"quantity": 1}}"#),
            "lines[1].lines.price",
            "is missing",
        ),
        (line("7"), "lines[1]", "must be an object"),
        (r#"{"lines": {}}"#.to_owned(), "lines", "must be an array"),
        ("{}".to_owned(), "lines", "is missing"),
        (
            r#"{"lines": [], "lines": []}"#.to_owned(),
            "lines",
            "is given twice",
        ),
    ];
    for (body, field, reason) in cases {
        let problem = parse(&body).unwrap_err();
        assert_eq!(problem["status"], 400, "{body}");
        assert_eq!(problem["field"], field, "{body}");
        assert_eq!(problem["detail"], format!("{field}: {reason}"), "{body}");
    }
}

#[test]
fn a_body_that_is_not_json_is_reported_without_a_field() {
    for body in [
        "nonsense",
        "{",
        "[1,",
        "[null, []]",
        "7",
        "\"text\"",
        "{\"lines\": []} {}",
        "{\"lines\": []} x",
        " ",
        "{'lines': []}",
    ] {
        let problem = parse(body).unwrap_err();
        assert_eq!(problem["status"], 400, "{body}");
        assert_eq!(problem.get("field"), None, "{body}");
    }
    assert_eq!(parse("").unwrap_err()["detail"], "the body is empty");
}

#[test]
fn no_problem_repeats_a_value() {
    let bodies = [
        r#"{"lines": "hunter2"}"#,
        r#"{"owner": {"hunter2": 1}, "lines": []}"#,
        r#"{"lines": [{"quantity": "hunter2, expected hunter2"}]}"#,
        r#"{"lines": [{"quantity": "hunter2 at line 1"}]}"#,
        r#"{"lines": ["hunter2"]}"#,
        r#""hunter2""#,
        r#"{"lines": [hunter2]}"#,
    ];
    for body in bodies {
        let problem = parse(body).unwrap_err();
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
}

#[test]
fn a_long_name_is_cut() {
    let body = json!({"é".repeat(5_000): 1}).to_string();
    let problem = parse(&body).unwrap_err();
    assert_eq!(problem["field"], "é".repeat(128));
}

#[test]
fn a_body_is_an_object_and_not_an_array_of_its_fields() {
    for body in ["[]", "[null, []]", " \n\t[\"me\", []]", "[1,"] {
        let problem = parse(body).unwrap_err();
        assert_eq!(problem["detail"], "the body must be an object", "{body}");
    }
}

#[test]
fn a_number_that_is_too_large_to_read_is_invalid_at_its_field() {
    let endless = "9".repeat(400);
    for number in ["1e400", "-1e400", "1e99999999999", &endless] {
        let problem = parse(&format!(r#"{{"lines": [{{"weight": {number}}}]}}"#)).unwrap_err();
        assert_eq!(problem["status"], 422, "{number}");
        assert_eq!(problem["field"], "lines[0].weight", "{number}");
    }
}

#[test]
fn a_byte_order_mark_is_ignored() {
    assert_eq!(parse("\u{feff}{\"lines\": []}"), Ok(()));
}

#[test]
fn the_content_type_must_be_json_whatever_its_parameters() {
    let good = "{\"lines\": []}";
    let sent = |content_type| status(content(Body::Text(good.to_owned()), content_type));
    for content_type in [
        "application/json",
        "Application/JSON",
        " application/json ",
        "application/json;",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; charset=utf8",
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
        "application/json; charset",
        "application/json ; profile=orders",
        "application/merge-patch+json",
        "application/vnd.orders.v1+json",
    ] {
        assert_eq!(sent(Some(content_type)), 200, "{content_type}");
    }
    for content_type in [
        "",
        "\u{1}",
        "text/plain",
        "text/json",
        "application/xml",
        "application/jsonp",
        "application/+json",
        "application/a b+json",
        "application/json, application/json",
        "json",
        "application/x-www-form-urlencoded",
    ] {
        assert_eq!(sent(Some(content_type)), 415, "{content_type}");
    }
    assert_eq!(sent(None), 415);
}

#[test]
fn a_compressed_body_is_unsupported_whatever_its_bytes() {
    let gzip = BASE64_STANDARD.encode([0x1f, 0x8b, 0x08, 0x00, 0xff]);
    for body in [
        Body::parse(Some(gzip), true),
        Body::Text("{\"lines\": []}".to_owned()),
    ] {
        for encoding in [
            "gzip",
            "GZIP",
            "br",
            "deflate",
            "zstd",
            "identity, gzip",
            "x",
            "\u{1}",
        ] {
            let sent = [
                ("content-type", "application/json"),
                ("content-encoding", encoding),
            ];
            let problem = with_headers(&body, &sent).unwrap_err();
            assert_eq!(problem["status"], 415, "{encoding}");
            assert_eq!(problem["field"], "Content-Encoding", "{encoding}");
        }
    }
    for encoding in ["identity", "Identity", "", "identity, identity"] {
        let body = Body::Text("{\"lines\": []}".to_owned());
        let sent = [
            ("content-type", "application/json"),
            ("content-encoding", encoding),
        ];
        assert_eq!(with_headers(&body, &sent), Ok(()), "{encoding}");
    }
}

#[test]
fn the_limit_applies_before_anything_is_read() {
    let body = |length: usize| {
        let filler = " ".repeat(length - "{\"lines\": []}".len());
        format!("{filler}{{\"lines\": []}}")
    };
    let plain = |length| {
        status(content(
            Body::parse(Some(body(length)), false),
            Some("application/json"),
        ))
    };
    let encoded = |length| {
        let encoded = BASE64_STANDARD.encode(body(length));
        status(content(
            Body::parse(Some(encoded), true),
            Some("application/json"),
        ))
    };
    assert_eq!((plain(LIMIT), encoded(LIMIT)), (200, 200));
    assert_eq!((plain(LIMIT + 1), encoded(LIMIT + 1)), (413, 413));
    // It is not decoded, so it need not be valid base64.
    let long = Body::parse(Some("!".repeat(ENCODED_LIMIT + 1)), true);
    assert_eq!(status(content(long, None)), 413);
}

#[test]
fn base64_is_decoded() {
    let sent = |bytes: &[u8]| {
        let body = Body::parse(Some(BASE64_STANDARD.encode(bytes)), true);
        content(body, Some("application/json"))
    };
    assert_eq!(
        sent("{\"owner\": \"🫖\", \"lines\": []}".as_bytes()),
        Ok(())
    );
    assert_eq!(sent(b"").unwrap_err()["detail"], "the body is empty");
    assert_eq!(
        sent(b"\"\xff\"").unwrap_err()["detail"],
        "the body is not UTF-8"
    );
    let garbage = content(
        Body::parse(Some("{}".to_owned()), true),
        Some("application/json"),
    );
    assert_eq!(status(garbage), 400);
}

proptest! {
    #[test]
    fn any_body_is_handled_without_a_panic(body in any::<String>(), is_base64 in any::<bool>()) {
        let outcome = content(Body::parse(Some(body), is_base64), Some("application/json"));
        prop_assert!([200, 400, 422].contains(&status(outcome)));
    }
}
