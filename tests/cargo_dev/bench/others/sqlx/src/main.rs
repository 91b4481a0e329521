//! The routes of get-order and list-orders with sqlx. `cargo dev bench --others` measures them beside ours.

use std::env::var;
use std::sync::LazyLock;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlSslMode};
use sqlx::{Connection, FromRow};
use time::PrimitiveDateTime;
use time::macros::format_description;
use uuid::Uuid;

/// The bench passes the statements of get-order and list-orders.
static FIND_ORDER: LazyLock<String> = LazyLock::new(|| var("FIND_ORDER").unwrap_or_default());
static LIST_ORDERS: LazyLock<String> = LazyLock::new(|| var("LIST_ORDERS").unwrap_or_default());

#[derive(Deserialize)]
struct Login {
    host: String,
    port: u16,
    username: String,
    password: String,
    dbname: String,
}

#[derive(FromRow, Serialize)]
struct Order {
    id: Uuid,
    customer_id: String,
    status: String,
    currency: String,
    #[sqlx(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<Item>,
    #[serde(serialize_with = "amount")]
    total: Decimal,
    version: u32,
    #[serde(serialize_with = "timestamp")]
    created_at: PrimitiveDateTime,
    #[serde(serialize_with = "timestamp")]
    updated_at: PrimitiveDateTime,
}

#[derive(FromRow, Serialize)]
struct Item {
    sku: String,
    quantity: u32,
    #[serde(serialize_with = "amount")]
    unit_price: Decimal,
}

#[derive(FromRow)]
struct OrderWithItem {
    #[sqlx(flatten)]
    order: Order,
    #[sqlx(flatten)]
    item: Item,
}

#[derive(Serialize)]
struct Page {
    orders: Vec<Order>,
    next: Option<String>,
}

/// In a currency with two decimals.
fn amount<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{amount:.2}"))
}

fn timestamp<S: Serializer>(moment: &PrimitiveDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    let text = moment.format(format).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let pool = connect().await?;
    let handler = move |event: LambdaEvent<_>| answer(pool.clone(), event.payload);
    lambda_runtime::run_concurrent(service_fn(handler)).await
}

/// Fetches the secret, and opens the first connection.
async fn connect() -> Result<MySqlPool, Error> {
    let secrets = aws_sdk_secretsmanager::Client::new(
        &aws_config::load_defaults(BehaviorVersion::latest()).await,
    );
    let secret = secrets
        .get_secret_value()
        .secret_id(var("DATABASE_SECRET_ID")?)
        .send()
        .await?;
    let login: Login = serde_json::from_str(secret.secret_string().ok_or("no secret")?)?;
    let options = MySqlConnectOptions::new()
        .host(&login.host)
        .port(login.port)
        .username(&login.username)
        .password(&login.password)
        .database(&login.dbname)
        .ssl_mode(MySqlSslMode::VerifyIdentity)
        .ssl_ca(var("DATABASE_CA_FILE")?);
    // As the documentation has it: what was idle for long is pinged, and not each connection each time.
    let pool = MySqlPoolOptions::new()
        .max_connections(var("DATABASE_POOL_MAX").map_or(Ok(10), |most| most.parse())?)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > Duration::from_secs(5) {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    Ok(pool.connect_with(options).await?)
}

async fn answer(
    pool: MySqlPool,
    event: ApiGatewayV2httpRequest,
) -> Result<ApiGatewayV2httpResponse, Error> {
    let parameter = |name| {
        event
            .path_parameters
            .get(name)
            .ok_or("a parameter is missing")
    };
    let body = if event.route_key.as_deref() == Some("GET /orders/{order_id}") {
        serde_json::to_string(&find(&pool, parameter("order_id")?.parse()?).await?)
    } else {
        let limit = event
            .query_string_parameters
            .first("limit")
            .ok_or("no limit")?;
        serde_json::to_string(&list(&pool, parameter("customer_id")?, limit.parse()?).await?)
    };
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = 200;
    answer
        .headers
        .insert("content-type", "application/json".parse()?);
    answer
        .headers
        .insert("cache-control", "private, no-cache".parse()?);
    answer.body = Some(body?.into());
    Ok(answer)
}

async fn find(pool: &MySqlPool, id: Uuid) -> Result<Order, Error> {
    let query = sqlx::query_as(FIND_ORDER.as_str()).bind(id);
    let rows: Vec<OrderWithItem> = query.fetch_all(pool).await?;
    let mut found: Option<Order> = None;
    for OrderWithItem { order, item } in rows {
        found.get_or_insert(order).items.push(item);
    }
    Ok(found.ok_or("no order has this id")?)
}

async fn list(pool: &MySqlPool, customer: &str, limit: usize) -> Result<Page, Error> {
    let query = sqlx::query_as(LIST_ORDERS.as_str())
        .bind(customer)
        .bind(Uuid::max());
    let mut orders: Vec<Order> = query
        .bind(u32::try_from(limit)? + 1)
        .fetch_all(pool)
        .await?;
    let more = orders.len() > limit;
    orders.truncate(limit);
    let next = orders.last().filter(|_| more).map(|last| {
        let tag = Sha256::digest(format!("{customer}\n\n{}", last.id));
        BASE64_URL_SAFE_NO_PAD.encode([last.id.as_bytes().as_slice(), &tag[..8]].concat())
    });
    Ok(Page { orders, next })
}
