//! The topic of SNS that reports go to.

use aws_sdk_sns::{Client, error::ProvideErrorMetadata};
use lambda::operation::Failure;

use crate::report::Answer;

/// SNS takes at most this many characters as a subject, and only ASCII.
const SUBJECT: usize = 99;

/// Sends the report to the topic's subscribers. Without a topic, only the log has the report.
pub async fn publish(answer: &Answer) -> Result<(), Failure> {
    let arn = std::env::var("REPORT_TOPIC_ARN").unwrap_or_default();
    if arn.trim().is_empty() {
        tracing::info!("there is no topic for reports");
        return Ok(());
    }
    let subject = answer.subject.chars().filter(char::is_ascii).take(SUBJECT);
    let client = Client::new(&lambda::aws::config());
    let publish = client.publish().topic_arn(arn);
    let publish = publish.subject(subject.collect::<String>());
    let published = publish.message(&answer.text).send().await;
    published.map(drop).map_err(|error| {
        let code = error.code().unwrap_or("not reachable");
        let message = format!("SNS did not take the report ({code})");
        Failure::new("NotPublished", message)
    })
}
