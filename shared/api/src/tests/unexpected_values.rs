//! Events with unexpected values. A value that a call does not need must not make it fail.

use super::*;

/// JSON of every type, including values that few parsers can read.
const ANYTHING: [&str; 15] = [
    "null",
    "true",
    "false",
    "7",
    "-0.5",
    "1e999",
    r#""""#,
    r#""text""#,
    r#""a\u0001\n\u007fb""#,
    r#""\ud800""#,
    r#""é🍵""#,
    "[]",
    r#"[null, {"a": [1e999]}]"#,
    "{}",
    r#"{"a": null, "b": {"c": 1}}"#,
];

/// Everything that the gateway may put into an event for a read.
fn whole_event() -> Value {
    let mut event = event("GET", "/v1/orders/7");
    event["routeKey"] = json!("GET /orders/{order_id}");
    event["cookies"] = json!(["a=1"]);
    event["queryStringParameters"] = json!({"a": "1"});
    event["pathParameters"] = json!({"order_id": "7", "other": "8"});
    event["stageVariables"] = json!({"a": "1"});
    event["body"] = json!(null);
    event["unheard-of"] = json!([]);
    let claims = json!({
        "sub": "cust-1", "email_verified": "true", "groups": "[a b]", "exp": "1", "aud": "a",
        "scope": "openid", "scp": "openid",
    });
    event["requestContext"]["authorizer"] =
        json!({"jwt": {"claims": claims, "scopes": null}, "iam": null, "lambda": null});
    event["requestContext"]["authentication"] = json!({"clientCert": {"subjectDN": "a"}});
    event
}

/// The fields that a read of an order needs.
const NEEDED: [&str; 11] = [
    "/version",
    "/routeKey",
    "/pathParameters",
    "/pathParameters/order_id",
    "/requestContext",
    "/requestContext/http",
    "/requestContext/http/method",
    "/requestContext/authorizer",
    "/requestContext/authorizer/jwt",
    "/requestContext/authorizer/jwt/claims",
    "/requestContext/authorizer/jwt/claims/sub",
];

/// A pointer to each value of an object and of the objects in it.
fn pointers(value: &Value, at: &str) -> Vec<String> {
    let fields = value.as_object().into_iter().flatten();
    let pointers = fields.flat_map(|(name, value)| {
        let at = format!("{at}/{name}");
        let inner = pointers(value, &at);
        std::iter::once(at).chain(inner)
    });
    pointers.collect()
}

/// The event with one of its values replaced by this JSON.
fn with(mut event: Value, pointer: &str, json: &str) -> String {
    *event.pointer_mut(pointer).unwrap() = json!("replace me");
    event.to_string().replace(r#""replace me""#, json)
}

#[tokio::test]
async fn fields_that_a_read_does_not_need_may_hold_anything() {
    let all = pointers(&whole_event(), "");
    let needed = |pointer: &&String| NEEDED.contains(&pointer.as_str());
    assert_eq!(all.iter().filter(needed).count(), NEEDED.len());
    for pointer in all.iter().filter(|pointer| !needed(pointer)) {
        for json in ANYTHING {
            let event = with(whole_event(), pointer, json);
            let answer = call(GET, event, 60_000, |request| async move {
                let caller = request.caller();
                let own = caller.may_act_for("cust-1") && !caller.may_act_for("cust-2");
                let id = request.path::<String>("order_id")?;
                Ok(Answer::ok(&json!({ "own": own, "id": id })))
            });
            let answer = answer.await;
            assert_eq!(answer["statusCode"], 200, "{pointer} {json}");
            let expected = r#"{"id":"7","own":true}"#;
            assert_eq!(answer["body"], expected, "{pointer} {json}");
        }
    }
}

#[tokio::test]
async fn a_read_is_answered_whatever_its_fields_hold() {
    for pointer in &NEEDED[1..] {
        for json in ANYTHING {
            let event = with(whole_event(), pointer, json);
            let answer = call(GET, event, 60_000, |request| async move {
                Ok(Answer::ok(&request.path::<String>("order_id")?))
            });
            let status = &answer.await["statusCode"];
            let answered = [200, 401, 404, 405].iter().any(|known| status == known);
            assert!(answered, "{pointer} {json}: {status}");
        }
    }
}

#[tokio::test]
async fn a_header_that_a_write_needs_is_never_ignored() {
    for json in ANYTHING {
        let mut event = event("POST", "/orders");
        event["body"] = json!("{}");
        event["headers"]["idempotency-key"] = json!("k");
        for (pointer, accepted) in [
            (
                "/headers/idempotency-key",
                &["null", "true", "false", "7", "-0.5", "1e999"][..],
            ),
            ("/headers/content-type", &[]),
            ("/headers/content-encoding", &["null", r#""""#]),
        ] {
            let mut event = event.clone();
            event["headers"]["content-encoding"] = json!(null);
            let event = with(event, pointer, json);
            let answer = call(POST, event, 60_000, |request| async move {
                let key = request.idempotency_key()?;
                assert!(pointer != "/headers/idempotency-key" || key.is_some() || json == "null");
                Ok(Answer::ok(&request.json::<Value>()?))
            });
            let answer = answer.await;
            if accepted.contains(&json) {
                assert_eq!(answer["statusCode"], 200, "{pointer} {json}");
                assert_eq!(answer["body"], "{}", "{pointer} {json}");
            } else if pointer != "/headers/idempotency-key" {
                assert_eq!(answer["statusCode"], 415, "{pointer} {json}");
            }
        }
    }
}
