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

/// Reads a body that is said to be JSON. A refusal is the problem in the answer.
fn read(body: &Body) -> Result<Basket<'_>, Value> {
    let json = ("content-type".to_owned(), "application/json".to_owned());
    body.json(&Headers::from_iter([json])).map_err(|problem| {
        serde_json::from_slice(&problem.into_response("").body.unwrap()).unwrap()
    })
}

fn refused(body: &str) -> Value {
    read(&Body::Text(body.to_owned())).unwrap_err()
}

#[test]
fn json_borrows_from_the_body() {
    let body = Body::parse(Some(r#"{"owner": "me", "lines": []}"#.to_owned()), false);
    let basket = Basket {
        owner: Some("me"),
        lines: vec![],
    };
    assert_eq!(read(&body), Ok(basket));
}

#[test]
fn a_wrong_field_is_named_by_its_path_with_what_it_must_be() {
    let whole = "must be a whole number within its range";
    for (line, field, reason) in [
        (r#""price": "1""#, "quantity", "is missing"),
        (r#""quantity": -1, "price": "1""#, "quantity", whole),
        (r#""quantity": 1, "price": 1"#, "price", "must be a string"),
        (
            r#""quantity": 1, "gift": "yes""#,
            "gift",
            "must be true or false",
        ),
        (
            r#""quantity": 1, "weight": "1""#,
            "weight",
            "must be a number",
        ),
        (r#""weight": 1e400"#, "weight", "must be a smaller number"),
        (
            r#""colour": "red""#,
            "colour",
            "is not a field that is known here",
        ),
        (
            r#""quantity": 1, "quantity": 2"#,
            "quantity",
            "is given twice",
        ),
        (r#""lines": {"quantity": 1}"#, "lines.price", "is missing"),
        (r#""lines": 7"#, "lines", "must be an object"),
    ] {
        let body = format!(r#"{{"lines": [{{"quantity": 1, "price": "1"}}, {{{line}}}]}}"#);
        let problem = refused(&body);
        assert_eq!(problem["field"], format!("lines[1].{field}"), "{body}");
        assert_eq!(problem["detail"], format!("lines[1].{field}: {reason}"));
    }
    for body in ["[]", "[null, []]", " \n\t[\"me\", []]", "[1,"] {
        let problem = refused(body);
        assert_eq!(problem["detail"], "the body must be an object", "{body}");
    }
    assert_eq!(
        refused(r#"{"lines": {}}"#)["detail"],
        "lines: must be an array"
    );
    let problem = refused(&json!({"é".repeat(5_000): 1}).to_string());
    assert_eq!(problem["field"], "é".repeat(128));
}

proptest! {
    #[test]
    fn any_body_is_handled_without_a_panic(body in any::<String>(), is_base64 in any::<bool>()) {
        let status = match read(&Body::parse(Some(body), is_base64)) {
            Ok(_) => json!(200),
            Err(problem) => problem["status"].clone(),
        };
        prop_assert!([200, 400, 422].iter().any(|known| status == *known));
    }
}
