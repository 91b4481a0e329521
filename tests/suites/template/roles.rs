//! The roles of the workflows: each may be assumed only from where it is meant for, and CloudFormation's
//! may make every type of resource that the template has.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    document::yaml,
    transform::python,
    transformed::{of_type, resources},
};

/// Permissions that types of resources ask for because of properties that this stack does not use.
const UNUSED: [&str; 17] = [
    // CodeDeploy on servers.
    "codedeploy:RegisterOnPremisesInstance",
    // File systems of functions.
    "elasticfilesystem:DescribeMountTargets",
    "s3files:ListMountTargets",
    // Logs that are delivered to other places.
    "firehose:TagDeliveryStream",
    "s3:REST.PUT.OBJECT",
    // Policies of groups and users, and boundaries of roles.
    "iam:AttachGroupPolicy",
    "iam:AttachUserPolicy",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DetachGroupPolicy",
    "iam:DetachUserPolicy",
    "iam:PutRolePermissionsBoundary",
    // Keys of functions and state machines.
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    // Code that is named with the version of its object.
    "s3:GetObjectVersion",
];

fn resource(name: &str) -> Value {
    yaml(".github/roles.yaml")["Resources"][name].take()
}

/// The names of the roles of the file.
fn roles() -> Vec<String> {
    let file = yaml(".github/roles.yaml");
    let resources = file["Resources"].as_object().unwrap();
    let roles = of_type(resources, "AWS::IAM::Role");
    roles.map(|(name, _)| name.to_owned()).collect()
}

/// The statements with this effect: what a role may do, or may not do in spite of the others.
fn statements<'a>(role: &'a Value, effect: &str) -> Vec<&'a Value> {
    let policies = role["Properties"]["Policies"].as_array().unwrap().iter();
    policies
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap())
        .filter(|statement| statement["Effect"] == effect)
        .collect()
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    let one = std::slice::from_ref(value);
    let list = value.as_array().map_or(one, Vec::as_slice);
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

/// Whether the action is one of the pattern's, in which `*` stands for any text. Case does not count.
fn is_of(action: &str, pattern: &str) -> bool {
    let (action, pattern) = (action.to_lowercase(), pattern.to_lowercase());
    match pattern.split_once('*') {
        None => action == pattern,
        Some((start, after)) => action.strip_prefix(start).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|end| is_of(end, after)))
        }),
    }
}

/// What CloudFormation must be allowed for each type of resource that the template has.
fn needed() -> Option<BTreeMap<String, Vec<String>>> {
    let kinds = resources()?.values().map(|one| one["Type"].as_str());
    let kinds: BTreeSet<&str> = kinds.flatten().collect();
    let output = Command::new(python()?)
        .args(["-c", include_str!("permissions.py")])
        .arg(json!(kinds).to_string())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn cloudformation_may_make_each_type_of_resource_of_the_template() {
    let Some(needed) = needed() else { return };
    let role = resource("ExecutionRole");
    let statements = statements(&role, "Allow");
    let allowed: Vec<&str> = statements
        .iter()
        .flat_map(|statement| texts(&statement["Action"]))
        .collect();
    let mut unused = BTreeSet::new();
    for (kind, permissions) in &needed {
        for permission in permissions {
            if UNUSED.contains(&permission.as_str()) {
                unused.insert(permission.as_str());
            } else {
                let is_allowed = allowed.iter().any(|pattern| is_of(permission, pattern));
                assert!(
                    is_allowed,
                    "{kind} needs {permission}: ExecutionRole in .github/roles.yaml"
                );
            }
        }
    }
    assert_eq!(unused, BTreeSet::from(UNUSED), "nothing needs the others");
}

#[test]
fn each_role_is_assumed_only_from_where_it_is_meant_for() {
    let sub = "repo:${Repository}:environment:${Environment}";
    let from_github = json!([{
        "Effect": "Allow",
        "Principal": { "Federated": { "Fn::If": ["MakesProvider", { "Ref": "Provider" }, { "Ref": "ProviderArn" }] } },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": { "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": { "Fn::Sub": sub },
        } },
    }]);
    let from_cloudformation = json!([{
        "Effect": "Allow",
        "Principal": { "Service": "cloudformation.amazonaws.com" },
        "Action": "sts:AssumeRole",
    }]);
    let expected = [
        ("DeployRole", &from_github),
        ("ExecutionRole", &from_cloudformation),
        ("SchemaRole", &from_github),
    ];
    assert_eq!(roles(), expected.map(|(role, _)| role));
    for (role, expected) in expected {
        let trust = &resource(role)["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(trust, expected, "{role}");
    }
}

#[test]
fn no_role_may_do_everything_or_touch_everything() {
    for role in roles() {
        let resource = resource(&role);
        // Policies of others could allow more.
        assert_eq!(resource["Properties"].get("ManagedPolicyArns"), None);
        for statement in statements(&resource, "Allow") {
            let actions = texts(&statement["Action"]);
            assert!(!actions.contains(&"*"), "{role}: {actions:?}");
            let sid = statement["Sid"].as_str().unwrap_or_default();
            let known = ["ReadTemplateThatIsNoStackYet", "WithoutResources"].contains(&sid);
            let all = statement["Resource"].to_string().contains("\"*\"");
            assert_eq!(all, known, "{role}: {statement}");
            if known {
                let whole = actions.iter().find(|action| action.contains('*'));
                assert_eq!(whole, None, "{role}: {sid}");
            }
        }
    }
}

#[test]
fn cloudformation_may_not_change_the_rights_of_these_roles() {
    let own = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AWS::StackName}";
    let own = roles()
        .into_iter()
        .map(|role| json!({ "Fn::Sub": format!("{own}-{role}-*") }));
    let own: Vec<_> = own.collect();
    let denied = json!({ "Effect": "Deny", "Action": "iam:*", "Resource": own });
    let role = resource("ExecutionRole");
    assert_eq!(statements(&role, "Deny"), [&denied]);
}

#[test]
fn no_name_that_a_role_is_limited_to_is_cut() {
    let Some(resources) = resources() else { return };
    let parameter = &yaml(".github/roles.yaml")["Parameters"]["StackName"]["MaxLength"];
    let stack = usize::try_from(parameter.as_u64().unwrap()).unwrap();
    for (name, resource) in resources {
        let kind = resource["Type"].as_str().unwrap();
        // Of all types here these have the shortest names, and CloudFormation adds twelve characters.
        let most = match kind {
            "AWS::IAM::Role" | "AWS::Lambda::Function" | "AWS::Scheduler::Schedule" => 64,
            _ => 100,
        };
        let length = format!("-{name}-123456789012").len() + stack;
        assert!(length <= most, "{kind} {name}: {length}");
    }
}
