//! What the deployed functions and the state machine may do. These tests read the template as AWS
//! transforms it, because SAM adds roles and policies of its own.

use serde_json::{Value, json};

use crate::{
    calls_planetscale, connects,
    document::{Document, visit},
    transformed::{of_type, resources},
};

/// The `Sid`s of statements for whose actions IAM has no resources.
const WITHOUT_RESOURCES: [&str; 6] = [
    "SendTraces",
    "DeliverLogs",
    "SampleTraces",
    "UseNetworkInterfaces",
    "NotFromCode",
    "ReadAlarms",
];

/// The statements of a role's own policies.
fn statements(role: &Value) -> Vec<&Value> {
    let policies = role["Policies"].as_array().into_iter().flatten();
    policies
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap())
        .collect()
}

/// The resource that `Fn::GetAtt` takes the attribute from.
fn get_att<'a>(value: &'a Value, attribute: &str) -> &'a str {
    assert_eq!(value["Fn::GetAtt"][1], attribute, "{value}");
    value["Fn::GetAtt"][0].as_str().unwrap()
}

#[test]
fn a_function_may_only_write_its_logs_and_do_what_its_policies_name() {
    let Some(resources) = resources() else { return };
    for (name, function) in of_type(resources, "AWS::Lambda::Function") {
        let group = function["LoggingConfig"]["LogGroup"]["Ref"]
            .as_str()
            .unwrap();
        let role = &resources[get_att(&function["Role"], "Arn")]["Properties"];
        let write_logs = json!({
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": { "Fn::GetAtt": [group, "Arn"] },
        });
        assert_eq!(statements(role), [&write_logs], "{name}");

        let binary = &resources[name]["Metadata"]["BuildProperties"]["Binary"];
        let binary = binary.as_str().unwrap();
        let rotates = binary == "rotate-credentials";
        let policies: Vec<_> = [
            ("SendTraces", true),
            ("ReadDatabaseSecret", connects(binary)),
            (
                "ReadPlanetScaleToken",
                calls_planetscale(binary) && !rotates,
            ),
            ("RotateDatabaseSecret", rotates),
            ("AttachToVpc", true),
        ]
        .into_iter()
        .filter(|(_, needed)| *needed)
        .map(|(policy, _)| json!({ "Ref": policy }))
        .collect();
        assert_eq!(role["ManagedPolicyArns"], json!(policies), "{name}");
    }
}

/// A statement that allows actions on what a parameter names.
fn allow(actions: Value, parameter: &str) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": { "Ref": parameter } })
}

/// A statement that allows to use the secret's own key, through Secrets Manager alone, if it has one.
fn use_key(actions: Value, secret: &str) -> Value {
    let mut allow = allow(actions, &format!("{secret}KeyArn"));
    let service = json!({ "Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}" });
    allow["Condition"] = json!({ "StringEquals": { "kms:ViaService": service } });
    only_if(&format!("Has{secret}Key"), allow)
}

fn only_if(condition: &str, statement: Value) -> Value {
    json!({ "Fn::If": [condition, statement, { "Ref": "AWS::NoValue" }] })
}

#[test]
fn a_policy_for_a_secret_allows_what_it_must_with_the_secret_and_its_own_key() {
    let read = "secretsmanager:GetSecretValue";
    let (decrypt, encrypt) = ("kms:Decrypt", "kms:GenerateDataKey");
    let read_only = |secret: &str| {
        let read = allow(read.into(), &format!("{secret}Arn"));
        json!([read, use_key(decrypt.into(), secret)])
    };
    let rotate = json!([
        "secretsmanager:DescribeSecret",
        read,
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
    ]);
    let rotate = json!([
        allow(rotate, "DatabaseSecretArn"),
        use_key(json!([decrypt, encrypt]), "DatabaseSecret"),
        only_if(
            "HasRotationToken",
            allow(read.into(), "RotationTokenSecretArn")
        ),
        use_key(decrypt.into(), "RotationTokenSecret"),
        only_if("HasMasterSecret", allow(read.into(), "MasterSecretArn")),
        use_key(decrypt.into(), "MasterSecret"),
    ]);
    let document = Document::read();
    for (policy, expected) in [
        ("ReadDatabaseSecret", read_only("DatabaseSecret")),
        ("ReadPlanetScaleToken", read_only("PlanetScaleTokenSecret")),
        ("RotateDatabaseSecret", rotate),
    ] {
        let statements = &document.resource(policy)["Properties"]["PolicyDocument"]["Statement"];
        assert_eq!(*statements, expected, "{policy}");
    }
    for (condition, parameter) in [
        ("HasDatabaseSecretKey", "DatabaseSecretKeyArn"),
        ("HasMasterSecret", "MasterSecretArn"),
        ("HasMasterSecretKey", "MasterSecretKeyArn"),
        (
            "HasPlanetScaleTokenSecretKey",
            "PlanetScaleTokenSecretKeyArn",
        ),
        ("HasRotationToken", "RotationTokenSecretArn"),
        ("HasRotationTokenSecretKey", "RotationTokenSecretKeyArn"),
    ] {
        let is_empty = json!([{ "Fn::Equals": [{ "Ref": parameter }, ""] }]);
        let condition = &document.section("Conditions")[condition];
        assert_eq!(*condition, json!({ "Fn::Not": is_empty }), "{parameter}");
    }
}

#[test]
fn secrets_manager_may_call_the_rotation_for_the_one_secret_before_it_is_scheduled() {
    let document = Document::read();
    let function = json!({ "Fn::GetAtt": "RotateCredentials.Arn" });
    let secret = json!({ "Ref": "DatabaseSecretArn" });
    let permission = json!({
        "FunctionName": function,
        "Action": "lambda:InvokeFunction",
        "Principal": "secretsmanager.amazonaws.com",
        "SourceAccount": { "Ref": "AWS::AccountId" },
        "SourceArn": secret,
    });
    let permitted = document.resource("RotateCredentialsPermission");
    assert_eq!(permitted["Properties"], permission);
    let schedule = document.resource("DatabaseSecretRotation");
    assert_eq!(schedule["DependsOn"], "RotateCredentialsPermission");
    assert_eq!(schedule["Condition"], "HasRotationSchedule");
    let expected = json!({
        "SecretId": secret,
        "RotationLambdaARN": function,
        "RotationRules": { "ScheduleExpression": { "Ref": "RotationSchedule" } },
    });
    assert_eq!(schedule["Properties"], expected);
    // Its token is not the one of the function for schema changes.
    for (function, parameter) in [
        ("RotateCredentials", "RotationTokenSecretArn"),
        ("MigrateSchema", "PlanetScaleTokenSecretArn"),
    ] {
        let variables = &document.resource(function)["Properties"]["Environment"]["Variables"];
        let token = &variables["PLANETSCALE_TOKEN_SECRET_ID"];
        assert_eq!(*token, json!({ "Ref": parameter }));
    }
}

#[test]
fn the_state_machine_may_call_its_function_and_deliver_its_logs_and_traces_and_nothing_else() {
    let Some(resources) = resources() else { return };
    let machine = &resources["SchemaChange"]["Properties"];
    let role = &resources[get_att(&machine["RoleArn"], "Arn")]["Properties"];
    let statements = statements(role);
    let ids: Vec<_> = statements.iter().map(|one| &one["Sid"]).collect();
    assert_eq!(ids, ["CarryOutSteps", "DeliverLogs", "SampleTraces"]);
    assert_eq!(get_att(&statements[0]["Resource"], "Arn"), "MigrateSchema");
    for action in statements[1]["Action"].as_array().unwrap() {
        assert!(action.as_str().unwrap().starts_with("logs:"), "{action}");
    }
    assert_eq!(role["ManagedPolicyArns"], json!([{ "Ref": "SendTraces" }]));
    // Another account's state machine may not use Step Functions to act as this role.
    let own = json!({ "StringEquals": { "aws:SourceAccount": "123456789012" } });
    assert_eq!(
        role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"],
        own
    );
}

#[test]
fn a_schedule_may_call_its_function_and_nothing_else() {
    let Some(resources) = resources() else { return };
    let mut schedules = 0;
    for (name, schedule) in of_type(resources, "AWS::Scheduler::Schedule") {
        // A name of its own would be taken where the account has the stack twice.
        assert_eq!(schedule.get("Name"), None, "{name}");
        let target = &schedule["Target"];
        let function = get_att(&target["Arn"], "Arn");
        let role = get_att(&target["RoleArn"], "Arn");
        let call = json!({
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": { "Fn::GetAtt": [function, "Arn"] },
        });
        assert_eq!(
            statements(&resources[role]["Properties"]),
            [&call],
            "{name}"
        );
        for made in [name, role] {
            let condition = &resources[function]["Condition"];
            assert_eq!(resources[made]["Condition"], *condition, "{made}");
        }
        schedules += 1;
    }
    assert!(schedules > 0);
}

#[test]
fn the_review_may_publish_on_the_topic() {
    let Some(resources) = resources() else { return };
    let publish = &resources["PublishReports"]["Properties"];
    assert_eq!(publish["Roles"], json!([{ "Ref": "ReviewQueriesRole" }]));
    let topic = "a-AlarmTopicArn";
    let allowed = json!([{ "Effect": "Allow", "Action": "sns:Publish", "Resource": topic }]);
    assert_eq!(publish["PolicyDocument"]["Statement"], allowed);
    let variables = &resources["ReviewQueries"]["Properties"]["Environment"]["Variables"];
    assert_eq!(variables["REPORT_TOPIC_ARN"], topic);
}

#[test]
fn every_route_that_is_deployed_asks_who_calls() {
    let Some(resources) = resources() else { return };
    let paths = &resources["Api"]["Properties"]["Body"]["paths"];
    let mut routes = 0;
    for (path, operations) in paths.as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let scopes = match (path.as_str(), method.as_str()) {
                ("/health", _) => json!([]),
                (_, "get") => json!(["to-read"]),
                _ => json!(["to-write"]),
            };
            let caller = json!([{ "Caller": scopes }]);
            assert_eq!(operation["security"], caller, "{method} {path}");
            assert!(operation["x-amazon-apigateway-integration"].is_object());
            routes += 1;
        }
    }
    assert!(routes > 0);
}

#[test]
fn no_policy_has_a_wildcard_where_a_resource_can_be_named() {
    let Some(resources) = resources() else { return };
    for (name, resource) in resources {
        visit(resource, &mut |statement| {
            let sid = statement["Sid"].as_str().unwrap_or_default();
            for part in ["Action", "NotAction", "Resource", "NotResource"] {
                let whole = part == "Resource" && WITHOUT_RESOURCES.contains(&sid);
                if !whole {
                    let value = statement[part].to_string();
                    assert!(!value.contains('*'), "{name}: {value}");
                }
            }
        });
    }
}

#[test]
fn no_role_carries_a_policy_that_somebody_else_writes() {
    let Some(resources) = resources() else { return };
    for (name, role) in of_type(resources, "AWS::IAM::Role") {
        for policy in role["ManagedPolicyArns"].as_array().into_iter().flatten() {
            let own = policy["Ref"].as_str().unwrap_or_default();
            let kind = resources.get(own).map(|resource| &resource["Type"]);
            assert_eq!(
                kind,
                Some(&json!("AWS::IAM::ManagedPolicy")),
                "{name}: {policy}"
            );
        }
    }
}

#[test]
fn no_name_becomes_too_long_with_the_name_of_the_stack() {
    let Some(resources) = resources() else { return };
    for (name, resource) in resources {
        for (property, value) in resource["Properties"].as_object().into_iter().flatten() {
            // A log group's name may have 512 characters.
            if property.ends_with("Name") && property != "LogGroupName" {
                let value = value.to_string();
                assert!(!value.contains("AWS::StackName"), "{name}: {property}");
            }
        }
    }
}
