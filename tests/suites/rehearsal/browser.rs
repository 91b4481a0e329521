//! A page in a real browser calls the API, with the CORS configuration that the template has for its origin.

use std::net::Ipv4Addr;

use axum::{Router, response::Html, routing::get};
use serde_json::json;
use tests::{
    stack::Stack,
    stand_ins::{api_gateway::ApiGateway, lambda::Function},
};
use tokio::{net::TcpListener, process::Command};

use crate::transform::stacks;

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
    let cors = serde_json::from_value(cors.clone()).unwrap();
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_database().await.unwrap();
    let mut functions = Vec::new();
    for name in ["create-order", "get-order", "update-order"] {
        let routes = stack.template().function(name).unwrap().routes.clone();
        let function = Function::of(&stack, &database, name).unwrap();
        functions.push((routes, function.start().await.unwrap()));
    }
    let api = ApiGateway::start(functions, Some(cors)).await.unwrap();
    let page = Html(PAGE.replace("API", api.url()));
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
