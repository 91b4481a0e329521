//! A database in production, with everything that reviews it.

use std::ops::Deref;

use mysql_async::prelude::Queryable;
use serde_json::json;
use tests::stack::Stack;
use tests::stand_ins::control_plane::Insights;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;
use tests::stand_ins::lambda::{Function, Reported};

use crate::topic::Topic;

pub struct Reviewed {
    api: FreshControlPlane,
    pub topic: Topic,
    function: Function,
}

impl Deref for Reviewed {
    type Target = FreshControlPlane;

    fn deref(&self) -> &FreshControlPlane {
        &self.api
    }
}

impl Reviewed {
    /// An empty database, of which PlanetScale has measured nothing.
    pub async fn new() -> Self {
        Self::with_topic(true).await
    }

    pub async fn without_topic() -> Self {
        Self::with_topic(false).await
    }

    async fn with_topic(is_set: bool) -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database_of_run().await.unwrap();
        let api = FreshControlPlane::over(stack, database).await;
        api.control_plane.set_insights(Insights::default()).await;
        let topic = Topic::new(&api.stack).await;
        let function = api.function("review-queries", &api.token_secret().await);
        let function = match is_set {
            true => function.env("REPORT_TOPIC_ARN", &topic.arn),
            false => function,
        };
        Self {
            function: function.start().await.unwrap(),
            api,
            topic,
        }
    }

    /// The report as a text.
    pub async fn review(&self) -> String {
        let answer = self.function.call(json!({})).await.unwrap();
        let answer = answer.unwrap_or_else(|error| panic!("{error:?}\n{}", self.logs()));
        answer["text"].as_str().unwrap().to_owned()
    }

    /// The error that a review ends with.
    pub async fn fail(&self) -> Reported {
        self.function.call(json!({})).await.unwrap().unwrap_err()
    }

    pub fn logs(&self) -> String {
        self.function.output().unwrap()
    }

    /// Changes the schema.
    pub async fn change(&self, sql: &str) {
        let mut admin = self.stack.admin().await.unwrap();
        let schema = self.database.name();
        admin.query_drop(format!("USE `{schema}`")).await.unwrap();
        admin.query_drop(sql).await.unwrap();
        admin.disconnect().await.unwrap();
    }

    /// Adds this many orders of one customer.
    pub async fn place(&self, orders: usize) {
        if orders == 0 {
            return;
        }
        let rows = (0..orders).map(|number| {
            format!("(LPAD({number}, 16, '0'), 'cust-1', 'paid', 'EUR', 9, 1, NULL, NULL, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))")
        });
        let rows: Vec<_> = rows.collect();
        self.change(&format!("INSERT INTO orders VALUES {}", rows.join(", ")))
            .await;
        self.change("ANALYZE TABLE orders").await;
    }
}
