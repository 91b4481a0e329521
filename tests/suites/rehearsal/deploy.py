"""Deploys what `sam build` has built to moto, as `sam deploy` does to AWS: packages it with SAM, transforms
it as AWS does, and creates the stack. Prints as JSON the functions that are there then, with the environment
that each of them has, the inputs of the schedules, and the types of the resources that moto leaves out."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import boto3

root = pathlib.Path(sys.argv[1])
sys.dont_write_bytecode = True
sys.path.insert(0, str(root / "tests/suites/template"))
from transform import transform

# The stack's name in what the transform puts in.
STACK = "local"

parameters = json.loads(sys.argv[2])
secrets = boto3.client("secretsmanager")
for name, value in parameters.items():
    if name.endswith("SecretArn"):
        parameters[name] = secrets.describe_secret(SecretId=value)["ARN"]

boto3.client("s3").create_bucket(Bucket=STACK)
with tempfile.NamedTemporaryFile("r", encoding="utf-8", suffix=".yaml") as output:
    packaged = subprocess.run(
        [pathlib.Path(sys.executable).parent / "sam", "package", "--s3-bucket", STACK, "--language-extensions"]
        + ["--template-file", root / ".aws-sam/build/template.yaml", "--output-template-file", output.name],
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
    )
    if packaged.returncode:
        sys.exit(packaged.stderr)
    with open(output.name, encoding="utf-8") as file:
        template = transform(file.read(), parameters)

# moto fails at a version of a function, so it gets neither versions nor what calls a function by its alias.
not_for_moto = {"AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::Lambda::Permission"}
resources = {
    name: resource for name, resource in template["Resources"].items() if resource["Type"] not in not_for_moto
}
cloudformation = boto3.client("cloudformation")
cloudformation.create_stack(
    StackName=STACK,
    TemplateBody=json.dumps({**template, "Resources": resources}),
    Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
)
pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
created = {
    resource["LogicalResourceId"]: resource["PhysicalResourceId"]
    for page in pages
    for resource in page["StackResourceSummaries"]
}

functions = {}
for name, resource in template["Resources"].items():
    if resource["Type"] == "AWS::Lambda::Function":
        configuration = boto3.client("lambda").get_function_configuration(FunctionName=created[name])
        functions[resource["Metadata"]["BuildProperties"]["Binary"]] = {
            "name": name,
            "environment": configuration["Environment"]["Variables"],
        }
left_out = {
    resource["Type"] for name, resource in template["Resources"].items() if name not in created
}
inputs = {
    name: json.loads(resource["Properties"]["Target"].get("Input", "{}"))
    for name, resource in template["Resources"].items()
    if resource["Type"] == "AWS::Scheduler::Schedule"
}
print(json.dumps({"functions": functions, "inputs": inputs, "left_out": sorted(left_out)}))
