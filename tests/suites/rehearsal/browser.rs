//! A page in a real browser calls the API, with the CORS configuration that the template has for its origin.

use std::{net::Ipv4Addr, str::FromStr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method},
    response::{Html, Response},
    routing::get,
};
use serde_json::{Value, json};
use tests::{
    stack::{Route, Stack},
    stand_ins::{
        api_gateway::{event_of, response_of},
        lambda::Function,
    },
};
use tokio::{net::TcpListener, process::Command};
use tower_http::cors::CorsLayer;

use crate::transform::stacks;

/// The functions behind their routes.
type Functions = Arc<Vec<(Vec<Route>, Function)>>;

/// A page that places an order, reads it and pays it, and then says what it has seen.
const PAGE: &str = r#"<body>waiting</body><script>
async function order() {
  const authorization = "Bearer token", json = "application/json";
  const placed = await fetch("API/orders", {
    method: "POST",
    headers: { authorization, "content-type": json, "idempotency-key": "from-a-browser" },
    body: JSON.stringify({ customer_id: "cust-1", currency: "EUR", items: [{ sku: "TEA-1", quantity: 2, unit_price: "4.50" }] }),
  });
  const url = "API" + placed.headers.get("location");
  const read = await fetch(url, { headers: { authorization, "if-none-match": '"7"' } });
  const etag = read.headers.get("etag");
  const paid = await fetch(url, {
    method: "PATCH",
    headers: { authorization, "content-type": json, "if-match": etag },
    body: JSON.stringify({ status: "paid" }),
  });
  return `${placed.status} ${read.status} ${etag} ${paid.status} ${(await paid.json()).status}`;
}
order().catch(error => `refused: ${error}`).then(seen => document.body.textContent = seen);
</script>"#;

#[tokio::test]
async fn a_browser_lets_pages_of_the_allowed_origins_call_the_api_and_no_others() {
    let chromium = Command::new("chromium").arg("--version").output().await;
    if chromium.is_err() {
        tests::skipped("there is no Chromium (Debian's package chromium)");
        return;
    }
    let pages = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = pages.local_addr().unwrap().port();
    let allowed = format!("http://127.0.0.1:{port}");
    // The same server, and another origin.
    let other = format!("http://localhost:{port}");

    let origins = json!({ "CorsOrigins": format!("https://shop.example.com,{allowed}") });
    let origins = origins.as_object().unwrap().clone();
    let Some(stacks) = stacks(&[origins]) else {
        return;
    };
    let cors = &stacks[0]["Resources"]["Api"]["Properties"]["Body"]["x-amazon-apigateway-cors"];
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_database().await.unwrap();
    let mut functions = Vec::new();
    for name in ["create-order", "get-order", "update-order"] {
        let routes = stack.template().function(name).unwrap().routes.clone();
        let function = Function::of(&stack, &database, name).unwrap();
        functions.push((routes, function.start().await.unwrap()));
    }
    let gateway = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", gateway.local_addr().unwrap());
    let router = Router::new().fallback(answer).layer(cors_of(cors));
    let router = router.with_state(Arc::new(functions));
    tokio::spawn(async move { axum::serve(gateway, router).await });
    let page = Html(PAGE.replace("API", &url));
    let router = Router::new().route("/", get(async || page));
    tokio::spawn(async move { axum::serve(pages, router).await });

    let seen = open(&allowed).await;
    assert!(
        seen.contains("<body>201 200 \"1\" 200 paid</body>"),
        "{seen}"
    );
    let seen = open(&other).await;
    assert!(
        seen.contains("<body>refused: TypeError: Failed to fetch</body>"),
        "{seen}"
    );
}

/// Does CORS as API Gateway does with this configuration.
fn cors_of(configuration: &Value) -> CorsLayer {
    let seconds = configuration["maxAge"].as_u64().unwrap();
    CorsLayer::new()
        .allow_origin(list::<HeaderValue>(configuration, "allowOrigins"))
        .allow_methods(list::<Method>(configuration, "allowMethods"))
        .allow_headers(list::<HeaderName>(configuration, "allowHeaders"))
        .expose_headers(list::<HeaderName>(configuration, "exposeHeaders"))
        .max_age(Duration::from_secs(seconds))
}

fn list<T: FromStr>(configuration: &Value, member: &str) -> Vec<T> {
    let values = configuration[member].as_array().unwrap().iter();
    let values = values.map(|value| value.as_str().unwrap().parse());
    values.collect::<Result<_, _>>().ok().unwrap()
}

/// Calls the function whose route matches the request.
async fn answer(State(functions): State<Functions>, request: Request) -> Response {
    let event = event_of(request).await.unwrap();
    let mut functions = functions.iter();
    let function =
        functions.find(|(routes, _)| routes.iter().any(|route| event.matches_route(route)));
    let answer = match function {
        Some((_, function)) => Some(function.invoke(event).await.unwrap()),
        None => None,
    };
    response_of(answer.as_ref()).unwrap()
}

/// The page as the browser has it, when it waits for nothing more.
async fn open(url: &str) -> String {
    let output = Command::new("chromium")
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--dump-dom",
        ])
        .args(["--virtual-time-budget=10000", url])
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}
