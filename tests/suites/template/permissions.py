"""Prints what CloudFormation must be allowed for each of these types of resources, as JSON. The linter of
the SAM CLI brings AWS's own schemas of the types, which name it."""

import json
import sys

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

permissions = {}
for kind in json.loads(sys.argv[1]):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    handlers = schema["handlers"]
    permissions[kind] = sorted(
        {
            permission
            for handler in ("create", "read", "update", "delete")
            for permission in handlers.get(handler, {}).get("permissions", [])
        }
    )
print(json.dumps(permissions))
