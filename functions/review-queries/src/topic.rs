//! The topic of SNS that reports go to.

use std::sync::LazyLock;

use aws_sdk_sns::{Client, error::ProvideErrorMetadata};
use lambda::{Resource, settings::Faults};

use crate::{error::ReviewError, report::Answer};

/// SNS takes at most this many characters as a subject, and only ASCII.
const SUBJECT: usize = 99;

static SHARED: LazyLock<Topic> = LazyLock::new(|| Topic {
    arn: std::env::var("REPORT_TOPIC_ARN").unwrap_or_default(),
});

/// A topic, or none, because not everybody has one.
pub struct Topic {
    arn: String,
}

impl Topic {
    /// Sends the report to everybody who has subscribed.
    pub async fn publish(&self, answer: &Answer) -> Result<(), ReviewError> {
        if self.arn.trim().is_empty() {
            tracing::info!("there is no topic for reports");
            return Ok(());
        }
        let subject = answer.subject.chars().filter(char::is_ascii).take(SUBJECT);
        let client = Client::new(&lambda::aws::config());
        let publish = client.publish().topic_arn(&self.arn);
        let publish = publish.subject(subject.collect::<String>());
        let published = publish.message(&answer.text).send().await;
        published.map(drop).map_err(|error| {
            let code = error.code().unwrap_or("not reachable");
            ReviewError::NotPublished(code.to_owned())
        })
    }
}

impl Resource for &'static Topic {
    fn from_env() -> Result<Self, Faults> {
        Ok(&*SHARED)
    }
}
