//! What `template.yaml` says about the functions: their programs, routes and environment. The local
//! stack and the tests read them there, so that nothing is written twice.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value as Json};

use crate::stack::file;

/// The functions that the template declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    functions: Vec<Function>,
}

/// One function of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The name of its program, from `Metadata.BuildProperties.Binary`.
    pub binary: String,
    /// The routes that call it.
    pub routes: Vec<Route>,
    /// The variables of its environment: those of `Globals`, then its own.
    pub environment: BTreeMap<String, Value>,
    /// How long an invocation may take, in seconds.
    pub timeout: u64,
}

/// A route of the HTTP API, as in `GET /orders/{order_id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method in capitals; `ANY` stands for all.
    pub method: String,
    /// The path with its parameters in braces.
    pub path: String,
}

/// What the template gives to a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The value itself.
    Known(String),
    /// The default of the parameter that it refers to, or an empty text: what holds where nothing
    /// else is given.
    Default(String),
    /// Known only when it is deployed; the expression as in `!Ref DatabaseSecretArn`.
    Deployed(String),
}

impl Template {
    /// Reads the template of this project.
    pub fn read() -> anyhow::Result<Self> {
        Self::parse(&file::read(&crate::root().join("template.yaml"))?)
    }

    /// Reads a template.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let document = yaml(text).map_err(|error| anyhow!("template.yaml: {error}"))?;
        let resources = document.get("Resources").and_then(Json::as_object);
        let resources = resources.context("template.yaml: it has no Resources")?;
        let functions = resources
            .iter()
            .filter(|(_, resource)| text_at(resource, "/Type") == Some("AWS::Serverless::Function"))
            .map(|(name, resource)| {
                function(&document, resource)
                    .map_err(|error| anyhow!("template.yaml: Resources.{name}: {error}"))
            });
        Ok(Self {
            functions: functions.collect::<anyhow::Result<_>>()?,
        })
    }

    /// All functions, by the names of their resources.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function with this program.
    pub fn function(&self, binary: &str) -> anyhow::Result<&Function> {
        let mut functions = self.functions.iter();
        functions
            .find(|function| function.binary == binary)
            .with_context(|| format!("template.yaml has no function with the program {binary}"))
    }
}

impl Function {
    /// The function's environment; `deployed` has the values of the variables that the template
    /// knows only when it is deployed, and those that take the place of a default.
    pub fn environment(
        &self,
        deployed: &BTreeMap<String, String>,
    ) -> anyhow::Result<BTreeMap<String, String>> {
        let filled = self.environment.iter().map(|(variable, value)| {
            let value = match (deployed.get(variable), value) {
                (_, Value::Known(value)) | (Some(value), _) | (None, Value::Default(value)) => {
                    value
                }
                (None, Value::Deployed(expression)) => bail!(
                    "template.yaml gives {} the variable {variable} as {expression}, which the \
                     local stack can't fill in",
                    self.binary
                ),
            };
            Ok((variable.clone(), value.clone()))
        });
        filled.collect()
    }
}

fn function(document: &Json, resource: &Json) -> anyhow::Result<Function> {
    let binary = text_at(resource, "/Metadata/BuildProperties/Binary")
        .context("it has no Metadata.BuildProperties.Binary")?;
    let part = |of: &Json, path: &str| {
        let part = of.pointer(path).cloned();
        part.unwrap_or_else(|| Map::new().into())
    };
    let properties = merged(
        &part(document, "/Globals/Function"),
        &part(resource, "/Properties"),
    );
    let timeout = properties.get("Timeout").and_then(Json::as_u64);
    let fields = |path: &str| {
        let fields = properties.pointer(path).and_then(Json::as_object);
        fields.into_iter().flatten()
    };
    let environment = fields("/Environment/Variables").map(|(variable, given)| {
        let value = value(document, given)
            .with_context(|| format!("{variable} is neither a text nor an expression"))?;
        Ok((variable.clone(), value))
    });
    let routes = fields("/Events")
        .filter(|(_, event)| text_at(event, "/Type") == Some("HttpApi"))
        .map(|(_, event)| {
            let property = |path| {
                text_at(event, path).context("it has an HttpApi event without Path or Method")
            };
            Ok(Route {
                method: property("/Properties/Method")?.to_uppercase(),
                path: property("/Properties/Path")?.to_owned(),
            })
        });
    Ok(Function {
        binary: binary.to_owned(),
        routes: routes.collect::<anyhow::Result<_>>()?,
        environment: environment.collect::<anyhow::Result<_>>()?,
        // Lambda's default.
        timeout: timeout.unwrap_or(3),
    })
}

/// What the local stack is called where a deployed one has the name of its CloudFormation stack.
const STACK_NAME: &str = "local";

/// A scalar is itself, a reference to a parameter that has a default is that default, and an `If`
/// is what holds otherwise.
fn value(document: &Json, given: &Json) -> Option<Value> {
    if let Some(text) = scalar(given) {
        return Some(match text.is_empty() {
            true => Value::Default(text),
            false => Value::Known(text),
        });
    }
    let (function, argument) = given.as_object()?.iter().next()?;
    // Each condition asks whether a parameter is given, and here none is.
    if function == "Fn::If" {
        return value(document, argument.get(2)?);
    }
    let argument = scalar(argument).unwrap_or_else(|| "…".to_owned());
    if function == "Ref" && argument == "AWS::StackName" {
        return Some(Value::Default(STACK_NAME.to_owned()));
    }
    if function == "Ref" {
        let default = document.pointer(&format!("/Parameters/{argument}/Default"));
        if let Some(text) = default.and_then(scalar) {
            return Some(Value::Default(text));
        }
    }
    let function = function.trim_start_matches("Fn::");
    Some(Value::Deployed(format!("!{function} {argument}")))
}

/// CloudFormation takes numbers and truth values in an environment for their text.
fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn text_at<'a>(value: &'a Json, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Json::as_str)
}

/// A YAML document as JSON, with the short forms of CloudFormation (`!Ref X`) written out
/// (`{"Ref": "X"}`).
pub fn yaml(text: &str) -> anyhow::Result<Json> {
    let documents = Yaml::load_from_str(text)?;
    long_form(documents.first().context("it is empty")?)
}

fn long_form(node: &Yaml<'_>) -> anyhow::Result<Json> {
    Ok(match node {
        Yaml::Tagged(tag, inner) => {
            let function = match tag.suffix.as_ref() {
                name @ ("Ref" | "Condition") => name.to_owned(),
                function => format!("Fn::{function}"),
            };
            Json::Object(Map::from_iter([(function, long_form(inner)?)]))
        }
        Yaml::Mapping(fields) => fields
            .iter()
            .map(|(name, value)| {
                let name = name.as_str().context("a name is not a text")?;
                Ok((name.to_owned(), long_form(value)?))
            })
            .collect::<anyhow::Result<_>>()?,
        Yaml::Sequence(values) => values
            .iter()
            .map(long_form)
            .collect::<anyhow::Result<_>>()?,
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        Yaml::Value(Scalar::Boolean(truth)) => (*truth).into(),
        Yaml::Value(Scalar::Null) => Json::Null,
        other => bail!("{other:?} has no place in it"),
    })
}

/// Merges as SAM does for `Globals`: maps field by field; anything else is replaced.
pub fn merged(global: &Json, own: &Json) -> Json {
    let (Json::Object(global), Json::Object(own)) = (global, own) else {
        return own.clone();
    };
    let mut fields = global.clone();
    for (name, value) in own {
        let value = match global.get(name) {
            Some(global) => merged(global, value),
            None => value.clone(),
        };
        fields.insert(name.clone(), value);
    }
    Json::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "
Parameters:
  SecretArn: {Type: String}
  LogLevel: {Type: String, Default: INFO}
  Debug: {Type: String, Default: 'false'}
Globals:
  Function:
    Timeout: 10
    Environment:
      Variables:
        DATABASE_SECRET_ID: !Ref SecretArn
        LEVEL: !Ref LogLevel
        DEBUG: !Ref Debug
        EMPTY: ''
        NUMBER: 7
        SPACE: !If [HasSpace, !Ref Space, !Ref AWS::StackName]
Resources:
  Api: {Type: AWS::Serverless::HttpApi}
  GetOrder:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: get-order}}
    Properties:
      Environment:
        Variables:
          NUMBER: 8
          TABLE: !GetAtt Table.Name
          OTHER: {'Fn::Sub': '${AWS::StackName}-x'}
      Events:
        Read: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: '/orders/{order_id}', Method: get}}
        Nightly: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day)}}
";

    fn deployed() -> BTreeMap<String, String> {
        ["DATABASE_SECRET_ID", "TABLE", "OTHER"]
            .map(|name| (name.to_owned(), name.to_lowercase()))
            .into()
    }

    #[test]
    fn the_environment_is_filled_in() {
        let template = Template::parse(TEMPLATE).unwrap();
        let mut deployed = deployed();
        // A default gives way, and what is known does not.
        deployed.insert("DEBUG".to_owned(), "true".to_owned());
        deployed.insert("NUMBER".to_owned(), "9".to_owned());
        let function = template.function("get-order").unwrap();
        let filled = function.environment(&deployed).unwrap();
        let expected = [
            ("DATABASE_SECRET_ID", "database_secret_id"),
            ("DEBUG", "true"),
            ("EMPTY", ""),
            ("LEVEL", "INFO"),
            ("NUMBER", "8"),
            ("OTHER", "other"),
            ("SPACE", STACK_NAME),
            ("TABLE", "table"),
        ];
        assert_eq!(
            filled,
            expected
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        );
    }

    #[test]
    fn a_variable_that_cannot_be_filled_in_is_named() {
        let template = Template::parse(TEMPLATE).unwrap();
        let mut deployed = deployed();
        deployed.remove("TABLE");
        let error = template
            .function("get-order")
            .unwrap()
            .environment(&deployed)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "template.yaml gives get-order the variable TABLE as !GetAtt Table.Name, which the local stack can't fill in"
        );
    }

    #[test]
    fn faults_say_where() {
        let error = Template::parse(&TEMPLATE.replace("Binary: get-order", "")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "template.yaml: Resources.GetOrder: it has no Metadata.BuildProperties.Binary"
        );
        assert!(Template::parse("a: [").is_err());
        assert!(Template::parse("").is_err());
        assert!(
            Template::parse(TEMPLATE)
                .unwrap()
                .function("put-order")
                .is_err()
        );
    }
}
