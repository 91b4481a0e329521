//! The methods that each path takes.

use serde_json::json;
use tests::stand_ins::lambda::event::Event;
use uuid::Uuid;

use crate::client::{
    Api, any_database, change, customer, function, path_of, place, problem, send, tea,
};

#[tokio::test]
async fn another_method_is_405_and_changes_nothing() {
    let api = Api::on(any_database().await);
    let customer = customer();
    let post = Event::post("/orders").json(&tea(&customer));
    let placed = api.send(post.clone()).await.body;
    let list = Event::get(format!("/customers/{customer}/orders"));
    let get = Event::get(path_of(&placed));
    let patch = change(&path_of(&placed), 1, "paid");
    for (name, request, methods, allowed) in [
        ("create-order", &post, &["GET", "PUT", "DELETE"][..], "POST"),
        (
            "get-order",
            &get,
            &["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"],
            "GET, HEAD",
        ),
        ("list-orders", &list, &["POST", "DELETE"], "GET, HEAD"),
        ("update-order", &patch, &["GET", "PUT", "DELETE"], "PATCH"),
        (
            "health",
            &Event::get("/health"),
            &["POST", "DELETE"],
            "GET, HEAD",
        ),
    ] {
        let function = function(name, &api.database).start().await.unwrap();
        for method in methods {
            let request = request.clone().function_url();
            let other = request.with_value("/requestContext/http/method", json!(method));
            let answer = function.invoke(other).await.unwrap();
            assert_eq!(answer.status, 405, "{method} to {name}");
            problem(&answer, 405);
            assert_eq!(answer.header("allow"), Some(allowed), "{method} to {name}");
        }
    }
    assert_eq!(api.send(get).await.body, placed);
    let listed = api.send(list).await.body;
    assert_eq!(listed["orders"].as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let order = place(&tea(&customer())).await;
    let path = path_of(&order);
    let list = format!(
        "/customers/{}/orders",
        order["customer_id"].as_str().unwrap()
    );
    let head = |path: &str| Event::new("HEAD", path).function_url();
    let json = ("content-type", "application/json");
    for (event, status, (header, value)) in [
        (head(&path), 200, ("etag", "\"1\"")),
        (
            head(&path).header("if-none-match", "\"1\""),
            304,
            ("etag", "\"1\""),
        ),
        (
            head(&format!("/orders/{}", Uuid::now_v7())),
            404,
            ("content-type", "application/problem+json"),
        ),
        (head(&list), 200, json),
        (Event::new("HEAD", "/health"), 200, json),
        (Event::new("HEAD", "/health?ready"), 200, json),
        (head("/health"), 200, json),
    ] {
        let case = format!("{event:?}");
        let answer = send(event).await;
        assert_eq!(answer.status, status, "{case}");
        assert_eq!(answer.header(header), Some(value), "{case}");
        assert!(answer.body.is_null(), "{case}: {answer:?}");
    }
}
