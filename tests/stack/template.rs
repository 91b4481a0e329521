//! What `template.yaml` says of the functions: their programs, routes and environment. The local
//! stack and the tests take them from there, so that nothing is written twice.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, Yaml};

use crate::stack::file::{self, FileError};

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
    /// Memory in MB.
    pub memory: u64,
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

/// The template can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not YAML.
    #[error("template.yaml: {0}")]
    Yaml(#[from] saphyr::ScanError),
    /// Something is missing in it, or is not what it must be.
    #[error("template.yaml: {at}: {wrong}")]
    Content {
        /// Where, as in `Resources.GetOrder`.
        at: String,
        /// What is wrong there.
        wrong: &'static str,
    },
    /// No function has this program.
    #[error("template.yaml declares no function with the program {0}")]
    NoFunction(String),
    /// A variable has a value that is known only when deployed, and nothing stands for it here.
    #[error(
        "template.yaml gives {function} the variable {variable} as {expression}, which the local stack can't fill in"
    )]
    Unfilled {
        /// The function's program.
        function: String,
        /// The variable.
        variable: String,
        /// What the template has for it.
        expression: String,
    },
}

impl Template {
    /// Reads the template of this project.
    pub fn read() -> Result<Self, TemplateError> {
        Self::parse(&file::read(&crate::root().join("template.yaml"))?)
    }

    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let documents = Yaml::load_from_str(text)?;
        let root = documents
            .first()
            .ok_or_else(|| content("the whole", "is empty"))?;
        let resources = root
            .as_mapping_get("Resources")
            .and_then(Yaml::as_mapping)
            .ok_or_else(|| content("Resources", "is missing"))?;
        let mut functions = Vec::new();
        for (name, resource) in resources {
            let kind = resource.as_mapping_get("Type").and_then(Yaml::as_str);
            if kind == Some("AWS::Serverless::Function") {
                functions.push(function(root, name.as_str().unwrap_or_default(), resource)?);
            }
        }
        Ok(Self { functions })
    }

    /// All functions, in the template's order.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function with this program.
    pub fn function(&self, binary: &str) -> Result<&Function, TemplateError> {
        let found = self
            .functions
            .iter()
            .find(|function| function.binary == binary);
        found.ok_or_else(|| TemplateError::NoFunction(binary.to_owned()))
    }
}

impl Function {
    /// The function's environment; `deployed` has the values of the variables that the template
    /// knows only when it is deployed, and those that take the place of a default.
    pub fn environment(
        &self,
        deployed: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, TemplateError> {
        let mut filled = BTreeMap::new();
        for (variable, value) in &self.environment {
            let value = match (deployed.get(variable), value) {
                (_, Value::Known(value)) | (Some(value), _) | (None, Value::Default(value)) => {
                    value
                }
                (None, Value::Deployed(expression)) => {
                    return Err(TemplateError::Unfilled {
                        function: self.binary.clone(),
                        variable: variable.clone(),
                        expression: expression.clone(),
                    });
                }
            };
            filled.insert(variable.clone(), value.clone());
        }
        Ok(filled)
    }
}

fn function(root: &Yaml<'_>, name: &str, resource: &Yaml<'_>) -> Result<Function, TemplateError> {
    let at = format!("Resources.{name}");
    let binary = get(resource, &["Metadata", "BuildProperties", "Binary"])
        .and_then(Yaml::as_str)
        .ok_or_else(|| content(&at, "has no Metadata.BuildProperties.Binary"))?;

    let setting = |property: &str, default: u64| {
        let own = get(resource, &["Properties", property]);
        let value = own.or_else(|| get(root, &["Globals", "Function", property]));
        value
            .and_then(Yaml::as_integer)
            .and_then(|value| value.try_into().ok())
            .unwrap_or(default)
    };

    let mut environment = BTreeMap::new();
    let variables = ["Environment", "Variables"];
    let everyone = get(root, &["Globals", "Function"]).and_then(|common| get(common, &variables));
    let own = get(resource, &["Properties"]).and_then(|properties| get(properties, &variables));
    for set in [everyone, own]
        .into_iter()
        .flatten()
        .filter_map(Yaml::as_mapping)
    {
        for (variable, given) in set {
            let variable = variable.as_str().unwrap_or_default();
            let value = value(root, given).ok_or_else(|| {
                content(
                    &at,
                    "has a variable that is neither a text nor an expression",
                )
            })?;
            environment.insert(variable.to_owned(), value);
        }
    }

    let events = get(resource, &["Properties", "Events"]).and_then(Yaml::as_mapping);
    let routes = events
        .into_iter()
        .flatten()
        .filter(|(_, event)| get(event, &["Type"]).and_then(Yaml::as_str) == Some("HttpApi"))
        .map(|(_, event)| {
            route(event).ok_or_else(|| content(&at, "has an HttpApi event without Path or Method"))
        })
        .collect::<Result<_, _>>()?;

    Ok(Function {
        binary: binary.to_owned(),
        routes,
        environment,
        // The defaults of AWS SAM and Lambda.
        timeout: setting("Timeout", 3),
        memory: setting("MemorySize", 128),
    })
}

fn route(event: &Yaml<'_>) -> Option<Route> {
    let property = |name| get(event, &["Properties", name]).and_then(Yaml::as_str);
    Some(Route {
        method: property("Method")?.to_uppercase(),
        path: property("Path")?.to_owned(),
    })
}

/// A scalar is itself, a reference to a parameter that has a default is that default.
fn value(root: &Yaml<'_>, given: &Yaml<'_>) -> Option<Value> {
    if let Some(text) = scalar(given) {
        return Some(match text.is_empty() {
            true => Value::Default(text),
            false => Value::Known(text),
        });
    }
    let (function, argument) = match given {
        Yaml::Tagged(tag, argument) => (format!("!{}", tag.suffix), argument.as_ref()),
        // The long form: `Ref: Name`, `Fn::Sub: …`.
        Yaml::Mapping(mapping) if mapping.len() == 1 => {
            let (function, argument) = mapping.iter().next()?;
            let function = function.as_str()?;
            (
                format!("!{}", function.trim_start_matches("Fn::")),
                argument,
            )
        }
        _ => return None,
    };
    if function == "!Ref" {
        let default = get(root, &["Parameters", argument.as_str()?, "Default"]);
        if let Some(text) = default.and_then(scalar) {
            return Some(Value::Default(text));
        }
    }
    Some(Value::Deployed(format!(
        "{function} {}",
        scalar(argument).unwrap_or_else(|| "…".to_owned())
    )))
}

/// CloudFormation takes numbers and truth values in an environment for their text.
fn scalar(yaml: &Yaml<'_>) -> Option<String> {
    let text = yaml.as_str().map(str::to_owned);
    text.or_else(|| yaml.as_integer().map(|number| number.to_string()))
        .or_else(|| yaml.as_floating_point().map(|number| number.to_string()))
        .or_else(|| yaml.as_bool().map(|truth| truth.to_string()))
}

fn get<'a, 'input>(yaml: &'a Yaml<'input>, path: &[&str]) -> Option<&'a Yaml<'input>> {
    path.iter()
        .try_fold(yaml, |yaml, key| yaml.as_mapping_get(key))
}

fn content(at: &str, wrong: &'static str) -> TemplateError {
    TemplateError::Content {
        at: at.to_owned(),
        wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "
Parameters:
  SecretArn: {Type: String}
  LogLevel: {Type: String, Default: INFO}
Globals:
  Function:
    Timeout: 10
    Environment:
      Variables:
        DATABASE_SECRET_ID: !Ref SecretArn
        LEVEL: !Ref LogLevel
        EMPTY: ''
        NUMBER: 7
Resources:
  Api: {Type: AWS::Serverless::HttpApi}
  GetOrder:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: get-order}}
    Properties:
      MemorySize: 256
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
    fn a_function_is_read_with_what_globals_say() {
        let template = Template::parse(TEMPLATE).unwrap();
        let function = template.function("get-order").unwrap();
        assert_eq!((function.timeout, function.memory), (10, 256));
        let route = Route {
            method: "GET".to_owned(),
            path: "/orders/{order_id}".to_owned(),
        };
        assert_eq!(function.routes, [route]);
        assert_eq!(
            function.environment["DATABASE_SECRET_ID"],
            Value::Deployed("!Ref SecretArn".to_owned())
        );
        assert_eq!(
            function.environment["OTHER"],
            Value::Deployed("!Sub ${AWS::StackName}-x".to_owned())
        );
    }

    #[test]
    fn the_environment_is_filled_in() {
        let template = Template::parse(TEMPLATE).unwrap();
        let filled = template
            .function("get-order")
            .unwrap()
            .environment(&deployed())
            .unwrap();
        let expected = [
            ("DATABASE_SECRET_ID", "database_secret_id"),
            ("EMPTY", ""),
            ("LEVEL", "INFO"),
            ("NUMBER", "8"),
            ("OTHER", "other"),
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
    fn a_default_gives_way() {
        let template = Template::parse(TEMPLATE).unwrap();
        let mut deployed = deployed();
        deployed.insert("LEVEL".to_owned(), "TRACE".to_owned());
        deployed.insert("EMPTY".to_owned(), "full".to_owned());
        deployed.insert("NUMBER".to_owned(), "9".to_owned());
        let function = template.function("get-order").unwrap();
        let filled = function.environment(&deployed).unwrap();
        let filled = ["LEVEL", "EMPTY", "NUMBER"].map(|name| filled[name].as_str());
        assert_eq!(filled, ["TRACE", "full", "8"]);
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
            "template.yaml: Resources.GetOrder: has no Metadata.BuildProperties.Binary"
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
