//! `template.yaml` agrees with the code about functions, routes and settings. The API is closed, and a
//! function may do no more than it must. ring is the only TLS provider.
//!
//! These tests read files and need no running stack.

mod access;
mod alarms;
mod dashboard;
mod deployment;
mod document;
mod openapi;
mod production;
mod roles;
mod runbook;
mod schema_change;
mod supply_chain;
mod transform;
mod transformed;
mod workflows;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use lambda::{metrics::Metric, settings::Variable};
use planetscale::settings::PlanetScaleSettings;
use serde_json::json;

use document::{Document, text};
use tests::stack::Template;

/// The folders in `functions/`.
fn folders() -> BTreeSet<String> {
    fs::read_dir(tests::root().join("functions"))
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// Whether the function answers over HTTP, by its source.
fn is_http(folder: &str) -> bool {
    source(folder).contains("api::serve(")
}

/// Whether the function calls PlanetScale's API, by its source.
fn calls_planetscale(folder: &str) -> bool {
    source(folder).contains("planetscale")
}

/// Whether the function connects to the database, by its source.
fn connects(folder: &str) -> bool {
    source(folder).contains("database::Database")
}

/// The text of a function's `main.rs`.
fn source(folder: &str) -> String {
    text(&format!("functions/{folder}/src/main.rs"))
}

/// The route that a function's source names: `Route::get("/orders/{order_id}")` is
/// `GET /orders/{order_id}`.
fn route_in_source(folder: &str) -> String {
    let routes: Vec<String> = source(folder)
        .split("Route::")
        .skip(1)
        .filter_map(|after| {
            let (method, rest) = after.split_once("(\"")?;
            let (path, _) = rest.split_once('"')?;
            Some(format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    match routes.as_slice() {
        [route] => route.clone(),
        _ => panic!("{folder} should name one route: {routes:?}"),
    }
}

/// The routes of each function in the template, such as `GET /health`.
fn routes() -> BTreeMap<String, Vec<String>> {
    let template = Template::read().unwrap();
    let functions = template.functions().iter();
    functions
        .map(|function| {
            let routes = function.routes.iter();
            let routes = routes.map(|route| format!("{} {}", route.method, route.path));
            (function.binary.clone(), routes.collect())
        })
        .collect()
}

#[test]
fn each_folder_in_functions_is_one_function_of_the_template() {
    let document = Document::read();
    let binaries: Vec<_> = document
        .functions()
        .map(|function| function.binary)
        .collect();
    let unique: BTreeSet<_> = binaries.iter().cloned().collect();
    assert_eq!(
        binaries.len(),
        unique.len(),
        "two functions have the same binary: {binaries:?}"
    );
    assert_eq!(unique, folders());
}

#[test]
fn each_function_has_the_route_that_its_source_names() {
    for (binary, routes) in routes() {
        let routes: BTreeSet<String> = routes.into_iter().collect();
        let mut expected: BTreeSet<_> = is_http(&binary)
            .then(|| route_in_source(&binary))
            .into_iter()
            .collect();
        // The code answers HEAD wherever it answers GET, but the gateway only sends it to a route
        // that has it.
        let head = expected
            .first()
            .and_then(|route| route.strip_prefix("GET "));
        let head = head.map(|path| format!("HEAD {path}"));
        expected.extend(head.filter(|route| routes.contains(route)));
        assert_eq!(routes, expected, "{binary}");
    }
}

#[test]
fn no_route_is_open() {
    let document = Document::read();
    let auth = json!({ "EnableIamAuthorizer": true, "DefaultAuthorizer": "AWS_IAM" });
    let api = &document.resource("Api")["Properties"];
    assert_eq!(api["Auth"], auth);
    // `Caller` is a token if there is an issuer, and a signature otherwise.
    let schemes = &api["DefinitionBody"]["components"]["securitySchemes"];
    let token = json!({
        "type": "oauth2",
        "x-amazon-apigateway-authorizer": {
            "type": "jwt",
            "identitySource": "$request.header.Authorization",
            "jwtConfiguration": {
                "issuer": { "Ref": "JwtIssuer" },
                "audience": { "Fn::Split": [",", { "Ref": "JwtAudience" }] },
            },
        },
    });
    let signature = json!({
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "awsSigv4",
    });
    let caller = json!({ "Fn::If": ["HasJwtIssuer", token, signature] });
    assert_eq!(*schemes, json!({ "Caller": caller }));
    for function in document.functions() {
        for event in function.events() {
            assert_eq!(event.get("Auth"), None, "{}", function.name);
            assert_eq!(event["ApiId"], json!({ "Ref": "Api" }), "{}", function.name);
        }
        assert_eq!(
            function.properties.get("FunctionUrlConfig"),
            None,
            "{}",
            function.name
        );
    }
}

#[test]
fn each_function_gets_the_settings_that_the_code_reads_and_no_other() {
    for function in Template::read().unwrap().functions() {
        let of_planetscale = match calls_planetscale(&function.binary) {
            true => planetscale::settings::VARIABLES,
            false => &[],
        };
        let expected: BTreeSet<&str> = database::settings::VARIABLES
            .iter()
            .chain(of_planetscale)
            // Only the API reads these, but what `Globals` has goes to every function.
            .chain(api::settings::VARIABLES)
            .chain(lambda::metrics::VARIABLES)
            .filter(|variable| !variable.local)
            .map(|variable| variable.name)
            .chain(
                ["REPORT_TOPIC_ARN"]
                    .into_iter()
                    .filter(|_| function.binary == "review-queries"),
            )
            .collect();
        let set: BTreeSet<&str> = function.environment.keys().map(String::as_str).collect();
        let missing: Vec<_> = expected.difference(&set).collect();
        let unread: Vec<_> = set.difference(&expected).collect();
        assert!(
            missing.is_empty(),
            "{} does not get {missing:?}",
            function.binary
        );
        assert!(
            unread.is_empty(),
            "nothing in {} reads {unread:?}",
            function.binary
        );
    }
}

#[test]
fn the_code_accepts_the_settings_of_a_stack_that_has_what_planetscale_needs() {
    let settings = BTreeMap::from([
        ("DATABASE_SECRET_ID", "orders"),
        ("PLANETSCALE_ORGANIZATION", "acme"),
        ("PLANETSCALE_DATABASE", "orders"),
        ("PLANETSCALE_TOKEN_SECRET_ID", "orders/planetscale"),
    ]);
    let deployed = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    for function in Template::read().unwrap().functions() {
        let environment = function.environment(&deployed).unwrap();
        if calls_planetscale(&function.binary) {
            let settings = PlanetScaleSettings::read(|name| environment.get(name).cloned());
            assert_eq!(settings.unwrap().branch, "main", "{}", function.binary);
        }
    }
}

#[test]
fn each_parameter_is_described_and_used() {
    let document = Document::read();
    for (name, parameter) in document.section("Parameters") {
        let description = parameter["Description"].as_str().unwrap_or_default();
        assert!(!description.is_empty(), "{name} has no description");
        assert!(document.refers_to(name), "{name} is used nowhere");
    }
}

#[test]
fn each_function_is_built_for_arm64_from_the_workspace() {
    for function in Document::read().functions() {
        let name = &function.name;
        assert_eq!(
            function.metadata["BuildMethod"], "rust-cargolambda",
            "{name}"
        );
        assert_eq!(function.properties["Runtime"], "provided.al2023", "{name}");
        assert_eq!(
            function.properties["Architectures"],
            json!(["arm64"]),
            "{name}"
        );
        assert_eq!(function.properties["CodeUri"], ".", "{name}");
        assert_eq!(function.properties["Handler"], "bootstrap", "{name}");
    }
}

#[test]
fn each_function_logs_json_to_a_group_that_forgets() {
    let document = Document::read();
    for function in document.functions() {
        let name = &function.name;
        let logging = &function.properties["LoggingConfig"];
        assert_eq!(logging["LogFormat"], "JSON", "{name}");
        let group = logging["LogGroup"]["Ref"].as_str().unwrap();
        assert_eq!(
            document.resource(group)["Type"],
            "AWS::Logs::LogGroup",
            "{name}"
        );
    }
    for (name, resource) in document.section("Resources") {
        if resource["Type"] == "AWS::Logs::LogGroup" {
            let retention = &resource["Properties"]["RetentionInDays"];
            assert_eq!(*retention, json!({ "Ref": "LogRetentionDays" }), "{name}");
        }
    }
}

#[test]
fn nobody_is_let_in_without_an_authorizer() {
    let template = text("template.yaml");
    assert!(!template.contains("ALLOW_UNAUTHENTICATED"));
}

#[test]
fn no_partition_of_aws_is_taken_for_granted() {
    for file in [
        "template.yaml",
        "functions/migrate-schema/state_machine.asl.json",
        ".github/roles.yaml",
        ".github/workflows/deploy-stage.yml",
        ".github/workflows/schema-stage.yml",
    ] {
        let text = text(file);
        assert!(!text.contains("arn:aws:"), "{file}");
    }
}

#[test]
fn a_function_of_the_api_costs_at_most_twelve_lines() {
    let template = text("template.yaml");
    for function in Document::read().functions() {
        if !is_http(&function.binary) {
            continue;
        }
        let (_, after) = template
            .split_once(&format!("\n  {}:\n", function.name))
            .unwrap();
        let (resource, _) = after.split_once("\n\n").unwrap();
        // Its name, its properties, a blank line, and up to two lines for the path in DefinitionBody.
        let lines = 1 + resource.lines().count() + 1 + 2;
        let of_more_routes = 2 * (function.events().len() - 1);
        assert!(lines <= 12 + of_more_routes, "{}: {lines}", function.name);
    }
}

/// Every variable that one of the functions reads.
fn variables() -> impl Iterator<Item = &'static Variable> {
    [
        api::settings::VARIABLES,
        database::settings::VARIABLES,
        lambda::metrics::VARIABLES,
        planetscale::settings::VARIABLES,
        schema::settings::VARIABLES,
    ]
    .into_iter()
    .flatten()
}

#[test]
fn the_readme_has_every_metric_and_no_other() {
    let readme = text("functions/README.md");
    let table = "| metric | unit | meaning |\n| --- | --- | --- |\n";
    let (_, rows) = readme.split_once(table).unwrap();
    let (rows, _) = rows.split_once("\n\n").unwrap();
    let expected = Metric::ALL.iter().map(|metric| {
        let (name, unit, meaning) = (metric.name(), metric.unit(), metric.meaning());
        format!("| `{name}` | {unit} | {meaning} |")
    });
    assert_eq!(rows, expected.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_readme_has_every_setting() {
    let readme = text("functions/README.md");
    for variable in variables() {
        let default = match variable.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let row = format!("| `{}` | {default} | {} |", variable.name, variable.meaning);
        assert!(
            readme.contains(&row),
            "functions/README.md should have the row\n{row}"
        );
    }
}
