//! What the parameters for production change when they are set, and that they change nothing when they
//! are empty.

use std::{collections::BTreeMap, fs};

use serde_json::{Map, Value, json};

use crate::{
    document::{Document, text},
    is_http,
    transform::{stacks, stacks_of},
    transformed::of_type,
};

/// Parameters of a stack that has all functions.
const ALL_FUNCTIONS: [(&str, &str); 4] = [
    ("PlanetScaleTokenSecretArn", "token"),
    ("PlanetScaleOrganization", "acme"),
    ("PlanetScaleDatabase", "orders"),
    ("RotationTokenSecretArn", "rotation"),
];

/// Parameters with their values.
type Parameters = Vec<(&'static str, &'static str)>;

/// A change by its place, with the value before it and after it; null where there is none.
type Changes = BTreeMap<String, (Value, Value)>;

/// All changes between two values.
fn changes(place: &str, before: &Value, after: &Value, found: &mut Changes) {
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        for name in old
            .keys()
            .chain(new.keys().filter(|name| !old.contains_key(*name)))
        {
            changes(
                &format!("{place}/{name}"),
                &before[name],
                &after[name],
                found,
            );
        }
    } else if before != after {
        found.insert(place.to_owned(), (before.clone(), after.clone()));
    }
}

fn given(parameters: &[(&str, &str)]) -> Map<String, Value> {
    let parameters = parameters.iter();
    parameters
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect()
}

/// The places of a property in those functions that the condition selects.
fn in_functions(property: &str, select: impl Fn(&str) -> bool) -> Vec<String> {
    Document::read()
        .functions()
        .filter(|function| select(&function.binary))
        .map(|function| format!("Resources/{}/Properties/{property}", function.name))
        .collect()
}

/// What a parameter adds at these places, where nothing is without it.
fn added(places: Vec<String>, value: &Value) -> Changes {
    let places = places.into_iter();
    places
        .map(|place| (place, (Value::Null, value.clone())))
        .collect()
}

#[test]
fn a_parameter_for_production_has_its_effect_and_none_while_it_is_empty() {
    let body = "Resources/Api/Properties/Body";
    let document = Document::read();
    let groups = of_type(document.section("Resources"), "AWS::Logs::LogGroup");
    let groups: Vec<_> = groups.map(|(name, _)| name).collect();
    let tokens = [
        ("JwtIssuer", "https://id.example.com"),
        ("JwtAudience", "a"),
    ];
    let mut scopes = Changes::new();
    let paths = &document.resource("Api")["Properties"]["DefinitionBody"]["paths"];
    for (path, operations) in paths.as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let scope = match method.as_str() {
                _ if path == "/health" => continue,
                "get" => "orders:read",
                _ => "orders:write",
            };
            let change = (json!([{ "Caller": [] }]), json!([{ "Caller": [scope] }]));
            scopes.insert(format!("{body}/paths/{path}/{method}/security"), change);
        }
    }
    let mut domain = added(
        vec![format!("{body}/x-amazon-apigateway-endpoint-configuration")],
        &json!({ "disableExecuteApiEndpoint": true }),
    );
    let configuration = json!([{ "CertificateArn": "certificate", "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2" }]);
    domain.extend(added(
        vec!["Resources/Domain".to_owned()],
        &json!({
            "Type": "AWS::ApiGatewayV2::DomainName",
            "Condition": "HasDomainName",
            "Properties": { "DomainName": "api.example.com", "DomainNameConfigurations": configuration },
        }),
    ));
    domain.extend(added(
        vec!["Resources/DomainMapping".to_owned()],
        &json!({
            "Type": "AWS::ApiGatewayV2::ApiMapping",
            "Condition": "HasDomainName",
            "Properties": {
                "ApiId": { "Ref": "Api" },
                "DomainName": { "Ref": "Domain" },
                "Stage": { "Ref": "ApiApiGatewayDefaultStage" },
            },
        }),
    ));
    let mut vpc = added(
        in_functions("VpcConfig", |_| true),
        &json!({ "SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"] }),
    );
    let policy = document.resource("AttachToVpc").clone();
    vpc.extend(added(vec!["Resources/AttachToVpc".to_owned()], &policy));

    let cases: Vec<(Parameters, Parameters, Changes)> = vec![
        (
            ALL_FUNCTIONS.into(),
            vec![("ReservedConcurrency", "7")],
            [(true, json!("7")), (false, json!(2))]
                .into_iter()
                .flat_map(|(api, most)| {
                    let select = |binary: &str| is_http(binary) == api;
                    added(in_functions("ReservedConcurrentExecutions", select), &most)
                })
                .collect(),
        ),
        (
            ALL_FUNCTIONS.into(),
            vec![("ProvisionedConcurrency", "3")],
            added(
                in_functions("ProvisionedConcurrencyConfig", is_http)
                    .iter()
                    .map(|place| place.replace("/Properties", "Aliaslive/Properties"))
                    .collect(),
                &json!({ "ProvisionedConcurrentExecutions": "3" }),
            ),
        ),
        (
            ALL_FUNCTIONS.into(),
            vec![
                ("VpcSubnetIds", "subnet-1,subnet-2"),
                ("VpcSecurityGroupIds", "sg-1"),
            ],
            vpc,
        ),
        (
            vec![],
            vec![("LogKeyArn", "key")],
            added(
                groups
                    .iter()
                    .map(|group| format!("Resources/{group}/Properties/KmsKeyId"))
                    .collect(),
                &json!("key"),
            ),
        ),
        (
            vec![],
            vec![("LogDeletionPolicy", "Retain")],
            groups
                .iter()
                .flat_map(|group| {
                    ["DeletionPolicy", "UpdateReplacePolicy"].map(|policy| {
                        (
                            format!("Resources/{group}/{policy}"),
                            (json!("Delete"), json!("Retain")),
                        )
                    })
                })
                .collect(),
        ),
        (
            vec![],
            vec![(
                "CorsOrigins",
                "https://shop.example.com,http://localhost:8080",
            )],
            added(
                vec![format!("{body}/x-amazon-apigateway-cors")],
                &json!({
                    "allowOrigins": ["https://shop.example.com", "http://localhost:8080"],
                    "allowMethods": ["GET", "HEAD", "PATCH", "POST"],
                    "allowHeaders": ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match"],
                    "exposeHeaders": ["etag", "idempotent-replayed", "location", "retry-after"],
                    "maxAge": 3600,
                }),
            ),
        ),
        (
            tokens.into(),
            vec![("JwtScopes", "orders:read,orders:write")],
            scopes,
        ),
        (
            vec![],
            vec![
                ("DomainName", "api.example.com"),
                ("CertificateArn", "certificate"),
            ],
            domain,
        ),
    ];
    let parameters: Vec<_> = cases
        .iter()
        .flat_map(|(base, set, _)| [given(base), given(&[base.as_slice(), set].concat())])
        .collect();
    let Some(stacks) = stacks(&parameters) else {
        return;
    };
    for ((_, set, expected), stacks) in cases.iter().zip(stacks.chunks(2)) {
        let mut found = Changes::new();
        changes(
            "Resources",
            &stacks[0]["Resources"],
            &stacks[1]["Resources"],
            &mut found,
        );
        // What each role gets with the policy is in the tests of the roles, and which parameters a version
        // names in those of the deployment.
        found.retain(|place, _| {
            let of_version =
                place.contains("Version") && place.ends_with("/Properties/Description");
            !of_version && !place.ends_with("/ManagedPolicyArns")
        });
        assert_eq!(found, *expected, "{set:?}");
    }
}

#[test]
fn a_stack_refuses_half_of_what_belongs_together() {
    let jwt = [
        ("JwtIssuer", "https://id.example.com"),
        ("JwtAudience", "a"),
    ];
    for (set, refused) in [
        (vec![], vec![]),
        (jwt.into(), vec![]),
        (vec![jwt[0]], vec!["JwtIssuer needs JwtAudience"]),
        (vec![jwt[0], jwt[1], ("JwtScopes", "r,w")], vec![]),
        (
            vec![("JwtScopes", "r,w")],
            vec!["JwtScopes needs JwtIssuer"],
        ),
        (vec![("DomainName", "a.b"), ("CertificateArn", "c")], vec![]),
        (
            vec![("DomainName", "a.b")],
            vec!["DomainName needs CertificateArn"],
        ),
        (
            vec![("CertificateArn", "c")],
            vec!["CertificateArn needs DomainName"],
        ),
        (
            vec![("VpcSubnetIds", "s"), ("VpcSecurityGroupIds", "g")],
            vec![],
        ),
        (
            vec![("VpcSubnetIds", "s")],
            vec!["VpcSubnetIds needs VpcSecurityGroupIds"],
        ),
        (
            vec![("VpcSecurityGroupIds", "g")],
            vec!["VpcSecurityGroupIds needs VpcSubnetIds"],
        ),
        (
            vec![("AlarmEmail", "a@b"), ("AlarmTopicArn", "t")],
            vec!["Set AlarmEmail or AlarmTopicArn, not both"],
        ),
        (
            vec![ALL_FUNCTIONS[0], ALL_FUNCTIONS[3]],
            vec![
                "PlanetScaleTokenSecretArn needs PlanetScaleOrganization and PlanetScaleDatabase",
                "RotationTokenSecretArn needs PlanetScaleOrganization and PlanetScaleDatabase",
            ],
        ),
        (ALL_FUNCTIONS.into(), vec![]),
    ] {
        assert_eq!(broken_rules(&given(&set)), refused, "{set:?}");
    }
}

/// What the template's rules say against these parameters.
fn broken_rules(given: &Map<String, Value>) -> Vec<String> {
    /// The value of a rule's expression.
    fn value(document: &Document, given: &Map<String, Value>, expression: &Value) -> Value {
        let Some((function, argument)) = expression
            .as_object()
            .and_then(|fields| fields.iter().next())
        else {
            return expression.clone();
        };
        let all = || -> Vec<Value> {
            let arguments = argument.as_array().into_iter().flatten();
            arguments
                .map(|argument| value(document, given, argument))
                .collect()
        };
        match function.as_str() {
            "Ref" => {
                let name = argument.as_str().unwrap();
                given
                    .get(name)
                    .unwrap_or(&document.section("Parameters")[name]["Default"])
                    .clone()
            }
            "Fn::Equals" => json!(all()[0] == all()[1]),
            "Fn::Not" => json!(all()[0] == false),
            "Fn::And" => json!(all().iter().all(|one| *one == true)),
            other => panic!("{other}"),
        }
    }
    let document = Document::read();
    let mut broken = Vec::new();
    for rule in document.section("Rules").values() {
        if value(&document, given, &rule["RuleCondition"]) != true {
            continue;
        }
        for assertion in rule["Assertions"].as_array().unwrap() {
            if value(&document, given, &assertion["Assert"]) != true {
                broken.push(assertion["AssertDescription"].as_str().unwrap().to_owned());
            }
        }
    }
    broken.sort();
    broken
}

#[test]
fn the_access_log_names_the_caller_and_no_secret() {
    let document = Document::read();
    let format = document.resource("Api")["Properties"]["AccessLogSettings"]["Format"].clone();
    let format: BTreeMap<String, String> = serde_json::from_str(format.as_str().unwrap()).unwrap();
    let expected = [
        ("authorizer_error", "authorizer.error"),
        ("client_id", "authorizer.claims.client_id"),
        ("function_error", "integrationErrorMessage"),
        ("function_latency_ms", "integrationLatency"),
        ("function_request_id", "integration.requestId"),
        ("iam_arn", "identity.userArn"),
        ("latency_ms", "responseLatency"),
        ("length", "responseLength"),
        ("request_id", "requestId"),
        ("route", "routeKey"),
        ("source_ip", "identity.sourceIp"),
        ("status", "status"),
        ("sub", "authorizer.claims.sub"),
        ("time", "requestTime"),
    ];
    let expected =
        expected.map(|(name, variable)| (name.to_owned(), format!("$context.{variable}")));
    assert_eq!(format, expected.into());
}

#[test]
fn each_stage_has_tags_and_production_keeps_its_logs() {
    let configuration = text("samconfig.toml");
    for (stage, keeps_logs) in [("dev", false), ("prod", true)] {
        let (_, section) = configuration
            .split_once(&format!("[{stage}.deploy.parameters]\n"))
            .unwrap();
        let section = section.split("\n[").next().unwrap();
        // A project that is made from this one has another name.
        let tags = section
            .lines()
            .find(|line| line.starts_with("tags = \"project="));
        let stage = format!(" stage={stage}\"");
        assert!(tags.is_some_and(|tags| tags.ends_with(&stage)), "{section}");
        assert_eq!(
            section.contains("\"LogDeletionPolicy=Retain\""),
            keeps_logs,
            "{section}"
        );
    }
}

#[test]
fn a_function_can_be_put_on_managed_instances_as_the_readme_says() {
    let readme = text("functions/README.md");
    let (_, section) = readme.split_once("**Managed Instances.**").unwrap();
    let (says, properties) = section.split_once("```yaml\n").unwrap();
    let (properties, _) = properties.split_once("```").unwrap();
    let template = text("template.yaml");
    let (before, after) = template.split_once("\nGlobals:\n").unwrap();
    let (globals, resources) = after.split_once("\nResources:\n").unwrap();
    let mut left_out = false;
    let mut kept = String::new();
    for line in globals.lines() {
        // A property goes to the next line that is indented no further.
        if line.starts_with("    ") && !line.starts_with("     ") {
            let name = line.trim().split(':').next().unwrap();
            left_out = says.contains(&format!("`{name}`"));
        }
        if !left_out {
            kept += &format!("{line}\n");
        }
    }
    let function = "      Description: Reads an order\n";
    let resources = resources.replace(function, &format!("{function}{properties}"));
    let changed = format!("{before}\nGlobals:\n{kept}\nResources:\n{resources}");
    let file = std::env::temp_dir().join(format!("managed-instances-{}.yaml", std::process::id()));
    fs::write(&file, changed).unwrap();
    let stacks = stacks_of(&file, &[Map::new()]);
    fs::remove_file(&file).unwrap();
    let Some(stacks) = stacks else { return };
    let function = &stacks[0]["Resources"]["GetOrder"]["Properties"];
    assert_eq!(function["MemorySize"], 2048);
    let provider =
        &function["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"];
    let arn = provider["CapacityProviderArn"].as_str().unwrap();
    assert!(arn.contains(":capacity-provider:"), "{arn}");
}
