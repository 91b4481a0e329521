"""Prints a SAM template as AWS transforms it, as JSON. SAM's own translator does it, without an account."""

import json
import sys

from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse


class NoManagedPolicies:
    """The template names no managed policy of AWS, so the translator needs no ARNs from AWS."""

    def load(self):
        return {}


with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file.read())
# Parameters that may be empty get a text. So each condition holds.
parameters = {
    name: parameter["Default"] or f"a-{name}"
    for name, parameter in template["Parameters"].items()
    if "Default" in parameter
}
validator = SamTemplateValidator(
    template,
    NoManagedPolicies(),
    region="eu-central-1",
    parameter_overrides=parameters,
    language_extensions_enabled=True,
)
print(json.dumps(yaml_parse(validator.get_translated_template_if_valid())))
