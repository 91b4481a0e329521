use std::sync::Mutex;

use serde_json::json;

use super::*;

type Lines = Arc<Mutex<Vec<String>>>;

fn subscriber(level: LevelFilter) -> (Lines, impl Subscriber) {
    let lines = Lines::default();
    let written = lines.clone();
    let layer = JsonLines {
        level,
        function_name: Some("get-order".to_owned()),
        write: move |line: &[u8]| {
            written
                .lock()
                .unwrap()
                .push(String::from_utf8(line.to_vec()).unwrap())
        },
    };
    (lines, Registry::default().with(layer))
}

/// What `work` logs. Asserts that each event is one line.
fn logged(level: LevelFilter, work: impl FnOnce()) -> Vec<Value> {
    let (lines, subscriber) = subscriber(level);
    tracing::subscriber::with_default(subscriber, work);
    let lines = lines.lock().unwrap();
    lines
        .iter()
        .map(|line| {
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            serde_json::from_str(line.strip_suffix('\n').unwrap()).unwrap()
        })
        .collect()
}

/// Runs `work` in an invocation.
fn within(work: impl FnOnce()) {
    INVOCATION.sync_scope(Arc::new(Invocation::new(&context())), work);
}

fn context() -> Context {
    let mut context = Context::default();
    context.request_id = "8476a536".to_owned();
    context.xray_trace_id =
        Some("Root=1-5759e988-bd862e3f;Parent=53995c3f42cd8ad8;Sampled=1".to_owned());
    context
}

#[test]
fn a_line_has_the_fixed_keys_first() {
    let (lines, subscriber) = subscriber(LevelFilter::INFO);
    tracing::subscriber::with_default(subscriber, || {
        within(|| tracing::info!(status = 200, "answered"));
    });
    let lines = lines.lock().unwrap();
    let keys: Vec<_> = [
        "timestamp",
        "level",
        "message",
        "request_id",
        "trace_id",
        "function_name",
        "cold_start",
        "target",
        "status",
    ]
    .iter()
    .map(|key| lines[0].find(&format!("\"{key}\":")).unwrap())
    .collect();
    assert!(keys.is_sorted(), "{}", lines[0]);
}

#[test]
fn lines_within_an_invocation_have_its_ids() {
    let lines = logged(LevelFilter::INFO, || {
        within(|| {
            tracing::info_span!("inner", request_id = "other", step = 2)
                .in_scope(|| tracing::info!("hello"))
        });
        tracing::info!("outside");
    });
    assert_eq!(lines[0]["request_id"], "8476a536");
    assert_eq!(lines[0]["trace_id"], "1-5759e988-bd862e3f");
    assert_eq!(lines[0]["function_name"], "get-order");
    assert_eq!(lines[0]["target"], "lambda::log::tests");
    assert!(lines[0]["cold_start"].is_boolean());
    assert_eq!(lines[0]["step"], 2);
    assert_eq!(lines[1].get("request_id"), None);
    assert!(lines[1]["cold_start"].is_boolean());
}

#[test]
fn fields_keep_their_types() {
    let lines = logged(LevelFilter::INFO, || {
        let failure = std::io::Error::other("it \"broke\"\n");
        tracing::info!(
            count = 3_u64,
            below = -3,
            share = 0.5,
            broken = f64::NAN,
            done = true,
            name = "a\n\"b\"\u{1}",
            list = ?[1, 2],
            shown = %7,
            failure = &failure as &dyn std::error::Error,
            none = None::<u32>,
            "two\nlines"
        );
    });
    let mut fields = lines[0].as_object().unwrap().clone();
    fields.retain(|key, _| key == "message" || !FIXED.contains(&key.as_str()));
    assert_eq!(
        Value::from(fields),
        json!({
            "message": "two\nlines", "count": 3, "below": -3, "share": 0.5, "broken": null, "done": true,
            "name": "a\n\"b\"\u{1}", "list": "[1, 2]", "shown": "7", "failure": "it \"broke\"\n",
        })
    );
}

#[test]
fn no_field_replaces_a_fixed_key() {
    let lines = logged(LevelFilter::INFO, || {
        within(|| {
            tracing::info!(
                timestamp = "x",
                level = "x",
                request_id = "x",
                trace_id = "x",
                function_name = "x",
                cold_start = "x",
                "true"
            );
        });
    });
    assert!(
        !lines[0]
            .as_object()
            .unwrap()
            .values()
            .any(|value| value == "x"),
        "{}",
        lines[0]
    );
}

#[test]
fn a_field_of_an_event_overrides_its_spans() {
    let lines = logged(LevelFilter::INFO, || {
        let span = tracing::info_span!("work", attempt = 1, found = tracing::field::Empty);
        span.record("found", 5);
        span.record("attempt", 2);
        span.in_scope(|| {
            tracing::info!("span");
            tracing::info!(attempt = 9, "event");
        });
    });
    assert_eq!(
        (&lines[0]["attempt"], &lines[0]["found"]),
        (&json!(2), &json!(5))
    );
    assert_eq!(lines[1]["attempt"], 9);
}

#[test]
fn the_level_applies_to_the_crates_of_the_workspace() {
    for (level, heard) in [
        (LevelFilter::TRACE, vec!["a detail", "a warning"]),
        (LevelFilter::INFO, vec!["a warning"]),
        (LevelFilter::ERROR, vec![]),
    ] {
        let lines = logged(level, || {
            tracing::debug!("a detail");
            tracing::warn!("a warning");
        });
        let messages: Vec<_> = lines
            .iter()
            .map(|line| line["message"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(messages, heard, "{level}");
    }
}

#[test]
fn a_crate_from_a_registry_is_not_of_the_workspace() {
    assert!(is_of_workspace(file!()));
    assert!(!is_of_workspace(
        "/home/me/.cargo/registry/src/index/mysql_async-0.37.1/src/conn/mod.rs"
    ));
}

#[test]
fn a_trace_without_a_root_is_logged_unchanged() {
    for (header, id) in [("Parent=1; Root=1-2-3", "1-2-3"), ("odd", "odd")] {
        let mut context = context();
        context.xray_trace_id = Some(header.to_owned());
        assert_eq!(Invocation::new(&context).trace_id.as_deref(), Some(id));
    }
}
