//! `cargo lambda watch` in front of the functions, with the routes and the environment of
//! `template.yaml`, which may change while it runs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::stack::file;
use crate::stack::process::{Processes, Program, command};
use crate::stack::progress::Progress;
use crate::stack::template::{Function, Route, Template};
use crate::stack::tools::install;

/// The default port, which is also that of `cargo lambda invoke`.
pub const PORT: u16 = 9000;

/// How many ports after [`PORT`] are tried when another program uses it.
const TRIED: u16 = 20;

/// Where the functions are called: a port on this machine's loopback addresses, and on no other.
///
/// `cargo lambda watch` listens on one address only. It gets 127.0.0.1, which is what localhost
/// means everywhere; calls to ::1, which `cargo lambda invoke` makes, are passed on to it.
pub struct Front {
    port: u16,
    /// None where the machine has no IPv6.
    second: Option<TcpListener>,
}

impl Front {
    /// The port asked for, or the first free one from [`PORT`] on.
    pub fn choose(asked_for: Option<u16>) -> anyhow::Result<Self> {
        match asked_for {
            Some(port) => Self::take(port).with_context(|| {
                format!(
                    "another program uses port {port}: stop it, or choose another port with --port"
                )
            }),
            None => (PORT..=PORT + TRIED).find_map(Self::take).with_context(|| {
                let last = PORT + TRIED;
                format!(
                    "other programs use the ports {PORT} to {last}: choose a free one with --port"
                )
            }),
        }
    }

    /// The port, unless another program listens on either address. That program would get some of
    /// the calls to localhost.
    fn take(port: u16) -> Option<Self> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        let second = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => return None,
            listener => listener.ok(),
        };
        Some(Self { port, second })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://localhost:PORT`.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The command that invokes a function directly, without the function's name.
    pub fn invoke_command(&self, cargo_lambda: &Path) -> String {
        let mut command = match install::on_path("cargo-lambda") {
            Some(_) => String::from("cargo lambda invoke"),
            None => format!("{} lambda invoke", cargo_lambda.display()),
        };
        if self.second.is_none() {
            command.push_str(" --invoke-address 127.0.0.1");
        }
        if self.port != PORT {
            let _ = write!(command, " --invoke-port {}", self.port);
        }
        command
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Passes calls to ::1 on, for ever.
    pub async fn pass_on(&self) -> Infallible {
        let listener = self.second.as_ref().and_then(|listener| {
            listener.set_nonblocking(true).ok()?;
            tokio::net::TcpListener::from_std(listener.try_clone().ok()?).ok()
        });
        let Some(listener) = listener else {
            return std::future::pending().await;
        };
        let to = self.address();
        loop {
            // What goes wrong with one connection concerns its caller alone, who sees it closed.
            if let Ok((mut caller, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut watch = TcpStream::connect(to).await?;
                    copy_bidirectional(&mut caller, &mut watch).await
                });
            }
        }
    }
}

/// What `cargo lambda watch` is started with.
pub struct Setup {
    /// Its program.
    pub cargo_lambda: PathBuf,
    /// Where it takes calls.
    pub front: Arc<Front>,
    /// The file that declares the functions.
    pub template: PathBuf,
    /// What every function needs besides the template's variables.
    pub common: BTreeMap<String, String>,
    /// What stands for the values that are known only after a deployment.
    pub deployed: BTreeMap<String, String>,
    /// The folder for its configuration.
    pub folder: PathBuf,
}

/// The functions that the template declares, behind `cargo lambda watch`.
pub struct Functions {
    setup: Setup,
    /// The text of the template when it was last read.
    text: String,
    /// What is served.
    template: Template,
    watch: Watch,
}

/// A running `cargo lambda watch`.
struct Watch {
    program: Program,
    /// What it writes, as far as it was not yet copied.
    output: File,
}

impl Functions {
    /// Starts `cargo lambda watch` and waits until it takes calls.
    pub async fn start(
        setup: Setup,
        processes: &Processes,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let text = file::read(&setup.template)?;
        let template = Template::parse(&text)?;
        let configuration = setup.configuration(&template)?;
        let step = progress.step("starting cargo lambda watch");
        let watch = setup.watch(&configuration, processes).await?;
        step.done(&format!("cargo lambda watch, port {}", setup.front.port));
        Ok(Self {
            setup,
            text,
            template,
            watch,
        })
    }

    /// Where the functions are called.
    pub fn front(&self) -> &Arc<Front> {
        &self.setup.front
    }

    /// Copies what the functions write to standard output, and starts `cargo lambda watch` again
    /// when the template declares other functions, routes or variables. Returns when it has
    /// ended by itself or cannot be started again.
    pub async fn serve(&mut self, processes: &Processes, progress: &Progress) -> anyhow::Error {
        loop {
            let changed = tokio::select! {
                status = self.watch.program.ended() => return self.watch.program.failure(status),
                never = copy(&mut self.watch.output) => match never {},
                text = changed(&self.setup.template, &self.text) => text,
            };
            self.text = changed;
            let configured = Template::parse(&self.text).and_then(|template| {
                let configuration = self.setup.configuration(&template)?;
                Ok((template, configuration))
            });
            match configured {
                Ok((template, _)) if template == self.template => {}
                Ok((template, configuration)) => {
                    let step =
                        progress.step("template.yaml has changed: starting the functions again");
                    processes.stop(&self.watch.program).await;
                    match self.setup.watch(&configuration, processes).await {
                        Ok(watch) => self.watch = watch,
                        Err(error) => return error,
                    }
                    self.template = template;
                    step.done("the functions follow template.yaml again");
                }
                Err(error) => progress.say(&format!(
                    "  {error}\n  The functions keep running as they were before this change."
                )),
            }
        }
    }
}

impl Setup {
    fn configuration(&self, template: &Template) -> anyhow::Result<String> {
        configuration_text(template.functions(), &self.common, &self.deployed)
    }

    async fn watch(&self, configuration: &str, processes: &Processes) -> anyhow::Result<Watch> {
        let address = self.front.address();
        let file = self.folder.join("cargo-lambda.toml");
        file::write(&file, configuration)?;
        let mut watch = command(&self.cargo_lambda);
        watch
            .args(["lambda", "watch", "--global"])
            .arg(&file)
            .args(["--invoke-address", &address.ip().to_string()])
            .args(["--invoke-port", &address.port().to_string()])
            .current_dir(crate::root());
        let program = processes.start("cargo-lambda-watch", watch)?;
        program.listens(address).await?;
        let output = program.output()?;
        Ok(Watch { program, output })
    }
}

/// Waits until the file holds another text, and its writer is done with it.
async fn changed(path: &Path, before: &str) -> String {
    let mut last = before.to_owned();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let text = file::read(path).unwrap_or_default();
        if text == last && text != before {
            return text;
        }
        last = text;
    }
}

/// Copies what comes into the file to standard output, for ever.
async fn copy(output: &mut File) -> Infallible {
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = output.read_to_end(&mut text);
        // A terminal that was closed is no reason to stop.
        let _ = read.and_then(|_| std::io::stdout().write_all(&text));
        let _ = std::io::stdout().flush();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The configuration of `cargo lambda watch`: one environment for all functions, and the routes.
fn configuration_text(
    functions: &[Function],
    common: &BTreeMap<String, String>,
    deployed: &BTreeMap<String, String>,
) -> anyhow::Result<String> {
    let mut environment = common.clone();
    let mut routes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for function in functions {
        for (variable, value) in function.environment(deployed)? {
            let before = environment.insert(variable.clone(), value.clone());
            if before.is_some_and(|before| before != value) {
                bail!(
                    "template.yaml gives {variable} a different value in two functions, but cargo \
                     lambda watch has one environment for all"
                );
            }
        }
        for route in &function.routes {
            if !route.path.starts_with('/') || route.method == "ANY" {
                let Route { method, path } = route;
                bail!("template.yaml: cargo lambda watch cannot serve the route {method} {path}");
            }
            let entry = format!(
                "{{ method = {}, function = {} }}",
                toml(&route.method),
                toml(&function.binary)
            );
            // API Gateway writes `{rest+}` for the rest of a path, matchit `{*rest}`.
            let path = match route
                .path
                .strip_suffix("+}")
                .and_then(|path| path.rsplit_once('{'))
            {
                Some((start, name)) => format!("{start}{{*{name}}}"),
                None => route.path.clone(),
            };
            routes.entry(path).or_default().push(entry);
        }
    }

    let mut text = String::from("# Made from template.yaml by `cargo dev`.\n\n[env]\n");
    for (variable, value) in environment {
        let _ = writeln!(text, "{} = {}", toml(&variable), toml(&value));
    }
    text.push_str("\n[watch.router]\n");
    for (path, entries) in routes {
        let _ = writeln!(text, "{} = [{}]", toml(&path), entries.join(", "));
    }
    Ok(text)
}

/// JSON's texts are TOML's too.
fn toml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "
Globals: {Function: {Environment: {Variables: {SECRET: !Ref Secret, QUOTED: 'a \"b\"'}}}}
Resources:
  Get:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: get-order}}
    Properties: {Events: {A: {Type: HttpApi, Properties: {Path: '/orders/{id}', Method: GET}}}}
  Update:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: update-order}}
    Properties: {Events: {A: {Type: HttpApi, Properties: {Path: '/orders/{id}', Method: PATCH}}, B: {Type: HttpApi, Properties: {Path: '/files/{rest+}', Method: GET}}}}
";

    fn text(template: &str) -> anyhow::Result<String> {
        let template = Template::parse(template).unwrap();
        let common = BTreeMap::from([("AWS_REGION".to_owned(), "here".to_owned())]);
        let deployed = BTreeMap::from([("SECRET".to_owned(), "id".to_owned())]);
        configuration_text(template.functions(), &common, &deployed)
    }

    #[test]
    fn routes_and_environment_come_from_the_template() {
        let expected = r#"# Made from template.yaml by `cargo dev`.

[env]
"AWS_REGION" = "here"
"QUOTED" = "a \"b\""
"SECRET" = "id"

[watch.router]
"/files/{*rest}" = [{ method = "GET", function = "update-order" }]
"/orders/{id}" = [{ method = "GET", function = "get-order" }, { method = "PATCH", function = "update-order" }]
"#;
        assert_eq!(text(TEMPLATE).unwrap(), expected);
    }

    #[test]
    fn two_values_for_one_variable_are_refused() {
        let own = "Properties: {Environment: {Variables: {SECRET: other}}, Events: {A: {Type: HttpApi, Properties: {Path: '/orders/{id}', Method: GET}}}}";
        let template = TEMPLATE.replacen(
            "Properties: {Events",
            "Properties: {Environment: {Variables: {SECRET: other}}, Events",
            1,
        );
        assert!(template.contains(own));
        let error = text(&template).unwrap_err().to_string();
        assert!(error.contains("gives SECRET a different value"), "{error}");
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Front::choose(Some(port)).err().unwrap().to_string();
        assert!(error.contains(&format!("uses port {port}")), "{error}");
    }
}
