//! A deployment moves the calls of the API's functions to their new versions step by step, and takes them
//! back when an alarm is raised.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    document::{Document, text, visit},
    is_http,
    transformed::{of_type, resources},
};

/// The names of the API's functions.
fn api_functions() -> BTreeSet<String> {
    let document = Document::read();
    let functions = document.functions();
    let of_api = functions.filter(|function| is_http(&function.binary));
    of_api.map(|function| function.name).collect()
}

#[test]
fn only_the_functions_of_the_api_have_an_alias_and_codedeploy_moves_it() {
    let Some(resources) = resources() else { return };
    let aliases: BTreeSet<String> = of_type(resources, "AWS::Lambda::Alias")
        .map(|(_, alias)| alias["FunctionName"]["Ref"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(aliases, api_functions());
    for function in aliases {
        let alias = &resources[&format!("{function}Aliaslive")];
        let group = format!("{function}DeploymentGroup");
        let moved = json!({ "CodeDeployLambdaAliasUpdate": {
            "ApplicationName": { "Ref": "ServerlessDeploymentApplication" },
            "DeploymentGroupName": { "Ref": group },
        } });
        assert_eq!(alias["UpdatePolicy"], moved, "{function}");
        let group = &resources[&group]["Properties"];
        let role = json!({ "Fn::GetAtt": ["DeploymentRole", "Arn"] });
        assert_eq!(group["ServiceRoleArn"], role, "{function}");
        let kind = "CodeDeployDefault.LambdaCanary10Percent5Minutes";
        assert_eq!(group["DeploymentConfigName"], kind, "{function}");
        let alarms = ["Errors", "Status5xx"].map(|metric| {
            let alarm = format!("{function}{metric}");
            assert_eq!(resources[&alarm]["Type"], "AWS::CloudWatch::Alarm");
            json!({ "Name": { "Ref": alarm } })
        });
        assert_eq!(group["AlarmConfiguration"]["Enabled"], true, "{function}");
        assert_eq!(group["AlarmConfiguration"]["Alarms"], json!(alarms));
    }
}

#[test]
fn the_gateway_calls_the_aliases_and_may_call_nothing_else() {
    let Some(resources) = resources() else { return };
    let mut called = BTreeSet::new();
    let paths = resources["Api"]["Properties"]["Body"]["paths"]
        .as_object()
        .unwrap();
    for operation in paths.values().flat_map(|path| path.as_object().unwrap()) {
        let uri = &operation.1["x-amazon-apigateway-integration"]["uri"];
        let uri = uri.as_str().unwrap();
        let (_, function) = uri.split_once("/functions/${").unwrap();
        let (function, rest) = function.split_once("Aliaslive}").unwrap();
        assert_eq!(rest, "/invocations", "{uri}");
        called.insert(function.to_owned());
    }
    assert_eq!(called, api_functions());
    let permitted: BTreeSet<String> = of_type(resources, "AWS::Lambda::Permission")
        .filter(|(_, permission)| permission["Principal"] == "apigateway.amazonaws.com")
        .map(|(_, permission)| permission["FunctionName"]["Ref"].as_str().unwrap())
        .map(|alias| alias.strip_suffix("Aliaslive").unwrap().to_owned())
        .collect();
    assert_eq!(permitted, called);
}

#[test]
fn codedeploy_may_move_the_aliases_of_the_api_and_read_alarms() {
    let Some(resources) = resources() else { return };
    let role = &resources["DeploymentRole"]["Properties"];
    let trust = &role["AssumeRolePolicyDocument"]["Statement"];
    let of_account = json!({ "StringEquals": { "aws:SourceAccount": "123456789012" } });
    let service = json!({ "Service": "codedeploy.amazonaws.com" });
    assert_eq!(trust[0]["Principal"], service);
    assert_eq!(trust[0]["Condition"], of_account);
    assert_eq!(trust.as_array().unwrap().len(), 1);
    let read_alarms = json!([{
        "Sid": "ReadAlarms", "Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": "*",
    }]);
    assert_eq!(
        role["Policies"][0]["PolicyDocument"]["Statement"],
        read_alarms
    );
    let mut moved = BTreeSet::new();
    for (name, policy) in of_type(resources, "AWS::IAM::RolePolicy") {
        let statement = &policy["PolicyDocument"]["Statement"][0];
        let actions = [
            "lambda:GetAlias",
            "lambda:GetProvisionedConcurrencyConfig",
            "lambda:UpdateAlias",
        ];
        assert_eq!(statement["Action"], json!(actions), "{name}");
        assert_eq!(policy["RoleName"], json!({ "Ref": "DeploymentRole" }));
        let arn = &statement["Resource"][0]["Fn::GetAtt"];
        assert_eq!(arn[1], "Arn", "{name}");
        moved.insert(arn[0].as_str().unwrap().to_owned());
        // SAM's translator writes the ARN in this text in its own way.
        let alias = statement["Resource"][1].as_str().unwrap();
        assert!(alias.ends_with(":live"), "{name}: {alias}");
    }
    assert_eq!(moved, api_functions());
}

/// The parameters that a part of the template depends on, by `Ref`, in a text, or by a condition.
fn parameters(document: &Document, value: &Value, found: &mut BTreeSet<String>) {
    let all = document.section("Parameters");
    let known = |name: &str| all.contains_key(name).then(|| name.to_owned());
    let conditions = document.section("Conditions");
    visit(value, &mut |part| {
        found.extend(part["Ref"].as_str().and_then(known));
        for condition in [&part["Fn::If"][0], &part["Condition"]] {
            if let Some(name) = condition.as_str() {
                parameters(document, &conditions[name], found);
            }
        }
        let texts = part.as_str().unwrap_or_default().split("${").skip(1);
        let names = texts.filter_map(|rest| rest.split('}').next());
        found.extend(names.filter_map(known));
    });
}

#[test]
fn a_parameter_with_another_value_makes_a_new_version_of_each_function_that_gets_it() {
    let document = Document::read();
    for function in document.functions().filter(|one| is_http(&one.binary)) {
        let mut properties = function.properties.clone();
        let properties = properties.as_object_mut().unwrap();
        let description = properties.remove("VersionDescription").unwrap_or_default();
        // These are no part of a version.
        for other in [
            "DeploymentPreference",
            "Events",
            "ProvisionedConcurrencyConfig",
            "ReservedConcurrentExecutions",
        ] {
            properties.remove(other);
        }
        let mut needed = BTreeSet::new();
        let properties = Value::Object(properties.clone());
        parameters(&document, &properties, &mut needed);
        assert!(needed.contains("LogLevel"), "{needed:?}");
        let mut named = BTreeSet::new();
        parameters(&document, &description, &mut named);
        assert_eq!(named, needed, "{}'s VersionDescription", function.name);
        assert_eq!(properties["AutoPublishAliasAllProperties"], true);
    }
}

#[test]
fn production_is_deployed_gradually_and_the_default_is_at_once() {
    let document = Document::read();
    let default = &document.section("Parameters")["DeploymentType"]["Default"];
    assert_eq!(default, "AllAtOnce");
    let text = text("samconfig.toml");
    let (_, prod) = text.split_once("[prod.deploy.parameters]").unwrap();
    assert!(prod.contains("\"DeploymentType=Canary10Percent10Minutes\""));
}
