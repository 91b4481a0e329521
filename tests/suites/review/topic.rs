//! A topic of moto's SNS, with a queue of its SQS that has subscribed to it.

use serde_json::Value;
use tests::eventually;
use tests::stack::Stack;
use uuid::Uuid;

pub struct Topic {
    url: String,
    pub arn: String,
    queue: String,
}

impl Topic {
    pub async fn new(stack: &Stack) -> Self {
        let name = format!("test-{}", Uuid::new_v4().simple());
        let mut topic = Self {
            url: stack.secrets_url().to_owned(),
            arn: String::new(),
            queue: String::new(),
        };
        let created = topic.call("sns", "CreateTopic", &[("Name", &name)]).await;
        topic.arn = element(&created, "TopicArn");
        let created = topic
            .call("sqs", "CreateQueue", &[("QueueName", &name)])
            .await;
        topic.queue = element(&created, "QueueUrl");
        // An ARN ends in the name, and the two differ in their service.
        let queue = topic.arn.replace(":sns:", ":sqs:");
        let parameters = [
            ("TopicArn", topic.arn.as_str()),
            ("Protocol", "sqs"),
            ("Endpoint", &queue),
        ];
        topic.call("sns", "Subscribe", &parameters).await;
        topic
    }

    /// The message that was published, once it is there. A call that was slow is sent again, so it may
    /// be there several times.
    pub async fn message(&self) -> Value {
        let look = async || Some(self.messages().await).filter(|messages| !messages.is_empty());
        let messages = eventually("a message was published", look).await;
        let first = &messages[0];
        for again in &messages {
            assert_eq!(again["Message"], first["Message"]);
        }
        first.clone()
    }

    /// The messages that were published, each with its `Subject` and `Message`.
    pub async fn messages(&self) -> Vec<Value> {
        let parameters = [
            ("QueueUrl", self.queue.as_str()),
            ("MaxNumberOfMessages", "10"),
        ];
        let received = self.call("sqs", "ReceiveMessage", &parameters).await;
        let bodies = received.split("<Body>").skip(1);
        bodies
            .map(|after| {
                let body = after.split("</Body>").next().unwrap();
                let body = body
                    .replace("&quot;", "\"")
                    .replace("&lt;", "<")
                    .replace("&gt;", ">");
                serde_json::from_str(&body.replace("&#x27;", "'").replace("&amp;", "&")).unwrap()
            })
            .collect()
    }

    pub async fn delete(&self) {
        self.call("sns", "DeleteTopic", &[("TopicArn", &self.arn)])
            .await;
    }

    /// moto tells the services apart by the scope of the credentials, and checks no signature.
    async fn call(&self, service: &str, action: &str, parameters: &[(&str, &str)]) -> String {
        let scope = format!("Credential=test/20260101/us-east-1/{service}/aws4_request");
        let mut form = vec![("Action", action)];
        form.extend(parameters);
        let form = form.iter().map(|(name, value)| {
            let encoded =
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            format!("{name}={encoded}")
        });
        let request = tests::http_client()
            .post(&self.url)
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"),
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.collect::<Vec<_>>().join("&"));
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{action}: {status} {text}");
        text
    }
}

/// The text of an element of an XML document.
fn element(xml: &str, name: &str) -> String {
    let after = xml.split(&format!("<{name}>")).nth(1);
    let text = after.and_then(|after| after.split(&format!("</{name}>")).next());
    text.unwrap_or_else(|| panic!("{name} is not in {xml}"))
        .to_owned()
}
