//! The one method and path that a function answers.

use std::{borrow::Cow, fmt, str::Utf8Error};

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use percent_encoding::percent_decode_str;

/// A method and a path with its parameters in braces, as `template.yaml` names them.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    method: &'static str,
    template: &'static str,
}

/// A path's parameters, by name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    values: Vec<(&'static str, String)>,
    /// Whether the values are still as the client wrote them into its URL.
    encoded: bool,
}

impl Parameters {
    /// A parameter, percent-decoded; nothing where the route has none of this name.
    pub(super) fn get(&self, name: &str) -> Option<Result<Cow<'_, str>, Utf8Error>> {
        let (_, value) = self.values.iter().find(|(known, _)| *known == name)?;
        Some(match self.encoded {
            true => percent_decode_str(value).decode_utf8(),
            false => Ok(Cow::Borrowed(value)),
        })
    }
}

impl Route {
    /// `GET` on a path such as `/orders/{order_id}`.
    pub const fn get(template: &'static str) -> Self {
        Self {
            method: "GET",
            template,
        }
    }

    /// `POST` on a path.
    pub const fn post(template: &'static str) -> Self {
        Self {
            method: "POST",
            template,
        }
    }

    /// `PATCH` on a path.
    pub const fn patch(template: &'static str) -> Self {
        Self {
            method: "PATCH",
            template,
        }
    }

    pub(super) fn method(self) -> &'static str {
        self.method
    }

    /// It changes nothing, in the sense of RFC 9110.
    pub(super) fn is_safe(self) -> bool {
        self.method == "GET"
    }

    /// The path's parameters, or none where the path is another.
    ///
    /// The gateway's are taken where it names them all, decoded as they are. An event of the route
    /// `$default` comes from a function URL, which names none, or from cargo-lambda, which does not
    /// decode them (cargo-lambda-watch 1.9.2, trigger_router.rs): of it the raw path is split, at
    /// the slashes that were slashes in the URL.
    pub(super) fn parameters(self, event: &ApiGatewayV2httpRequest) -> Option<Parameters> {
        let routed = event.route_key.as_deref() != Some("$default");
        let given = routed.then(|| self.given_parameters(event)).flatten();
        given.or_else(|| {
            let path = event.raw_path.as_deref().unwrap_or_default();
            let stage = event.request_context.stage.as_deref().unwrap_or_default();
            self.match_path(without_stage(path, stage))
                .or_else(|| self.match_path(path))
        })
    }

    fn given_parameters(self, event: &ApiGatewayV2httpRequest) -> Option<Parameters> {
        let values: Vec<_> = self
            .segments()
            .filter_map(parameter_name)
            .map(|name| Some((name, event.path_parameters.get(name)?.clone())))
            .collect::<Option<_>>()?;
        let encoded = false;
        (!values.is_empty()).then_some(Parameters { values, encoded })
    }

    fn match_path(self, path: &str) -> Option<Parameters> {
        let mut values = Vec::new();
        let mut given = path.split('/');
        for expected in self.segments() {
            let segment = given.next()?;
            match parameter_name(expected) {
                Some(_) if segment.is_empty() => return None,
                Some(name) => values.push((name, segment.to_owned())),
                None if segment == expected => {}
                None => return None,
            }
        }
        let encoded = true;
        given
            .next()
            .is_none()
            .then_some(Parameters { values, encoded })
    }

    fn segments(self) -> impl Iterator<Item = &'static str> {
        self.template.split('/')
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

fn parameter_name(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// A raw path begins with the stage's name, unless the stage is `$default`.
fn without_stage<'a>(path: &'a str, stage: &str) -> &'a str {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(stage))
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORDER: Route = Route::get("/orders/{order_id}");

    fn parameters(route: Route, path: &str, stage: &str) -> Option<Vec<String>> {
        let mut event = ApiGatewayV2httpRequest::default();
        event.raw_path = Some(path.to_owned());
        event.request_context.stage = Some(stage.to_owned());
        let parameters = route.parameters(&event)?;
        let values = parameters.values.into_iter();
        Some(values.map(|(_, value)| value).collect())
    }

    #[test]
    fn a_path_is_matched_segment_by_segment() {
        let found = |path| parameters(ORDER, path, "$default");
        assert_eq!(found("/orders/7"), Some(vec!["7".to_owned()]));
        assert_eq!(found("/orders/a%2Fb"), Some(vec!["a%2Fb".to_owned()]));
        for other in [
            "",
            "/",
            "/orders",
            "/orders/",
            "/orders/7/",
            "/orders/7/items",
            "/Orders/7",
            "orders/7",
            "//orders/7",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn a_named_stage_is_no_part_of_the_path() {
        assert_eq!(
            parameters(ORDER, "/live/orders/7", "live"),
            Some(vec!["7".to_owned()])
        );
        assert_eq!(
            parameters(ORDER, "/orders/7", "live"),
            Some(vec!["7".to_owned()])
        );
        assert_eq!(parameters(ORDER, "/lively/orders/7", "live"), None);
        assert_eq!(parameters(ORDER, "/live/orders/7", "$default"), None);
        assert_eq!(
            parameters(Route::post("/orders"), "/orders/orders", "orders"),
            Some(vec![])
        );
        assert_eq!(
            parameters(Route::post("/orders"), "/orders", "orders"),
            Some(vec![])
        );
    }

    /// What a handler gets as the order's id.
    fn id_of(route_key: Option<&str>, raw_path: &str, given: &str) -> String {
        let mut event = ApiGatewayV2httpRequest::default();
        event.route_key = route_key.map(str::to_owned);
        event.raw_path = Some(raw_path.to_owned());
        event
            .path_parameters
            .insert("order_id".to_owned(), given.to_owned());
        let parameters = ORDER.parameters(&event).unwrap();
        let id = parameters.get("order_id").unwrap().unwrap();
        id.into_owned()
    }

    #[test]
    fn a_parameter_is_decoded_once_whoever_sends_it() {
        // The gateway decodes the path and its parameters, also where a slash comes of it.
        let gateway = Some("GET /orders/{order_id}");
        assert_eq!(id_of(gateway, "/orders/a%2Fb", "a%2Fb"), "a%2Fb");
        assert_eq!(id_of(None, "/orders/a/b", "a/b"), "a/b");
        let cargo_lambda = Some("$default");
        assert_eq!(id_of(cargo_lambda, "/orders/a%252Fb", "a%252Fb"), "a%2Fb");
        assert_eq!(ORDER.match_path("/orders/7").unwrap().get("id"), None);
    }

    proptest! {
        #[test]
        fn no_path_is_too_odd(path in any::<String>(), stage in any::<String>()) {
            let _ = parameters(ORDER, &path, &stage);
        }

        #[test]
        fn a_segment_comes_out_as_it_went_in(segment in "[^/]+") {
            prop_assert_eq!(
                parameters(ORDER, &format!("/orders/{segment}"), "$default"),
                Some(vec![segment])
            );
        }
    }
}
