"""Prints what AWS makes of a SAM template with some parameters, as JSON: the template that SAM's own
translator gives, with the conditions and the parameters' values put in, without what a false condition
leaves out. Parameters that are not given have their defaults. It needs no account."""

import json
import sys

from samcli.lib.cfn_language_extensions.sam_integration import expand_language_extensions
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse


class NoManagedPolicies:
    """The template names no managed policy of AWS, so the translator needs no ARNs from AWS."""

    def load(self):
        return {}


def transform(text, given):
    template = yaml_parse(text)
    defaults = {
        name: str(parameter["Default"])
        for name, parameter in template["Parameters"].items()
        if "Default" in parameter
    }
    parameters = {**defaults, **given}
    validator = SamTemplateValidator(
        template,
        NoManagedPolicies(),
        region="eu-central-1",
        parameter_overrides=parameters,
        language_extensions_enabled=True,
    )
    translated = yaml_parse(validator.get_translated_template_if_valid())
    # What SAM adds from `Globals` still has its conditions and references.
    translated["Transform"] = "AWS::LanguageExtensions"
    expanded = expand_language_extensions(translated, parameters, enabled=True).expanded_template
    conditions = expanded["Conditions"]

    def holds(condition):
        """Says whether a condition holds; its parameters are replaced already."""
        if not isinstance(condition, dict):
            return condition
        ((function, argument),) = condition.items()
        if function == "Condition":
            return holds(conditions[argument])
        return {
            "Fn::Equals": lambda: argument[0] == argument[1],
            "Fn::Not": lambda: not holds(argument[0]),
            "Fn::And": lambda: all(map(holds, argument)),
            "Fn::Or": lambda: any(map(holds, argument)),
        }[function]()

    for section in ("Resources", "Outputs"):
        expanded[section] = {
            name: entry
            for name, entry in expanded[section].items()
            if "Condition" not in entry or holds({"Condition": entry["Condition"]})
        }
    return expanded


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        source = file.read()
    print(json.dumps([transform(source, given) for given in json.loads(sys.argv[2])]))
