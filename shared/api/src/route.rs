//! The method and path that a function answers.

use std::{borrow::Cow, fmt, str::Utf8Error};

use percent_encoding::percent_decode_str;

use super::event::Event;

/// A method and a path with its parameters in braces, as `template.yaml` names them.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    method: Method,
    template: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// Also HEAD, which is answered like GET without a body (RFC 9110, section 9.3.2).
    Get,
    Post,
    Patch,
}

/// The parameters of a path, by name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    values: Vec<(&'static str, String)>,
    /// Whether the values are still percent-encoded, as in the client's URL.
    encoded: bool,
}

impl Parameters {
    /// A parameter, percent-decoded, or `None` if the route does not have it.
    pub(super) fn get(&self, name: &str) -> Option<Result<Cow<'_, str>, Utf8Error>> {
        let (_, value) = self.values.iter().find(|(known, _)| *known == name)?;
        Some(match self.encoded {
            true => percent_decode_str(value).decode_utf8(),
            false => Ok(Cow::Borrowed(value)),
        })
    }
}

impl Route {
    /// `GET` on a path such as `/orders/{order_id}`, and also `HEAD` if the gateway routes it here.
    pub const fn get(template: &'static str) -> Self {
        let method = Method::Get;
        Self { method, template }
    }

    /// `POST` on a path.
    pub const fn post(template: &'static str) -> Self {
        let method = Method::Post;
        Self { method, template }
    }

    /// `PATCH` on a path.
    pub const fn patch(template: &'static str) -> Self {
        let method = Method::Patch;
        Self { method, template }
    }

    /// The methods that it accepts, for the header `Allow`.
    pub(super) fn allow(self) -> &'static str {
        match self.method {
            Method::Get => "GET, HEAD",
            Method::Post => "POST",
            Method::Patch => "PATCH",
        }
    }

    pub(super) fn takes(self, method: &str) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method)
    }

    /// Whether it changes nothing, in the sense of RFC 9110.
    pub(super) fn is_safe(self) -> bool {
        self.method == Method::Get
    }

    /// Whether it creates something that does not exist before.
    pub(super) fn creates(self) -> bool {
        self.method == Method::Post
    }

    /// The parameters of the path, or `None` if the event has another path.
    ///
    /// A gateway that has matched the path names its route, and the parameters in decoded form.
    /// Then the raw path is ignored, because it may begin with the base path of a custom domain.
    ///
    /// The route `$default` says nothing. It comes from a function URL, which names no parameters,
    /// or from cargo-lambda, which does not decode them (cargo-lambda-watch 1.9.2,
    /// trigger_router.rs). For these events, the raw path is split at the slashes of the URL.
    pub(super) fn parameters(self, event: &Event) -> Option<Parameters> {
        let matched = match event.route_key.as_deref() {
            Some("$default") => None,
            Some(key) => self.matched(event, key),
            None => self.named(event),
        };
        matched.or_else(|| {
            self.match_path(without_stage(&event.raw_path, &event.stage))
                .or_else(|| self.match_path(&event.raw_path))
        })
    }

    /// The parameters of an event that the gateway has matched with this route, below a base path
    /// if it has one.
    fn matched(self, event: &Event, key: &str) -> Option<Parameters> {
        let path = key.split_once(' ').map_or(key, |(_, path)| path);
        let base = path.trim_end_matches('/').strip_suffix(self.template)?;
        (!base.contains('{')).then(|| self.all_named(event))?
    }

    /// The parameters of an event that names some but no route.
    fn named(self, event: &Event) -> Option<Parameters> {
        self.all_named(event)
            .filter(|found| !found.values.is_empty())
    }

    fn all_named(self, event: &Event) -> Option<Parameters> {
        let names = self.segments().filter_map(parameter_name);
        let values = names.map(|name| Some((name, event.path_parameters.get(name)?.clone())));
        Some(Parameters {
            values: values.collect::<Option<_>>()?,
            encoded: false,
        })
    }

    /// A slash at the end of the path is ignored.
    fn match_path(self, path: &str) -> Option<Parameters> {
        let mut values = Vec::new();
        let mut segments = path.strip_suffix('/').unwrap_or(path).split('/');
        for expected in self.segments() {
            let segment = segments.next()?;
            match parameter_name(expected) {
                Some(_) if segment.is_empty() => return None,
                Some(name) => values.push((name, segment.to_owned())),
                None if segment == expected => {}
                None => return None,
            }
        }
        let encoded = true;
        segments
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
        let method = match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
        };
        write!(f, "{method} {}", self.template)
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
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const ORDER: Route = Route::get("/orders/{order_id}");
    const ORDERS: Route = Route::post("/orders");

    fn parameters(route: Route, event: &Event) -> Option<Vec<String>> {
        let values = route.parameters(event)?.values.into_iter();
        Some(values.map(|(_, value)| value).collect())
    }

    fn of_path(route: Route, path: &str, stage: &str) -> Option<Vec<String>> {
        let event = Event {
            raw_path: path.to_owned(),
            stage: stage.to_owned(),
            ..Event::default()
        };
        parameters(route, &event)
    }

    #[test]
    fn a_path_is_matched_segment_by_segment() {
        let found = |path| of_path(ORDER, path, "$default");
        assert_eq!(found("/orders/7"), Some(vec!["7".to_owned()]));
        assert_eq!(found("/orders/a%2Fb"), Some(vec!["a%2Fb".to_owned()]));
        for other in [
            "",
            "/",
            "/orders",
            "/orders/",
            "/orders//",
            "/orders/7//",
            "/orders/7/items",
            "/Orders/7",
            "orders/7",
            "//orders/7",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn a_named_stage_is_not_part_of_the_path() {
        let seven = Some(vec!["7".to_owned()]);
        assert_eq!(of_path(ORDER, "/live/orders/7", "live"), seven);
        assert_eq!(of_path(ORDER, "/orders/7", "live"), seven);
        assert_eq!(of_path(ORDER, "/lively/orders/7", "live"), None);
        assert_eq!(of_path(ORDER, "/live/orders/7", "$default"), None);
        assert_eq!(of_path(ORDERS, "/orders/orders", "orders"), Some(vec![]));
        assert_eq!(of_path(ORDERS, "/orders", "orders"), Some(vec![]));
    }

    fn routed(key: Option<&str>, raw_path: &str, named: &[(&str, &str)]) -> Event {
        let named = named.iter();
        let named = named.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Event {
            route_key: key.map(str::to_owned),
            raw_path: raw_path.to_owned(),
            path_parameters: named.collect::<BTreeMap<_, _>>(),
            ..Event::default()
        }
    }

    #[test]
    fn the_route_that_the_gateway_names_overrides_the_raw_path() {
        for raw_path in [
            "/orders",
            "/orders/",
            "/v1/orders",
            "/a/b/orders/",
            "",
            "/else",
        ] {
            for key in [
                "POST /orders",
                "ANY /orders",
                "POST /v1/orders",
                "POST /orders/",
            ] {
                let event = routed(Some(key), raw_path, &[]);
                assert_eq!(parameters(ORDERS, &event), Some(vec![]), "{key} {raw_path}");
            }
        }
        for raw_path in ["/orders/7", "/v1/orders/7", "/v1/orders/7/", ""] {
            let key = Some("GET /orders/{order_id}");
            let event = routed(key, raw_path, &[("order_id", "7")]);
            assert_eq!(
                parameters(ORDER, &event),
                Some(vec!["7".to_owned()]),
                "{raw_path}"
            );
        }
    }

    #[test]
    fn a_route_of_another_depth_is_another_route() {
        let key = Some("POST /customers/{customer_id}/orders");
        let event = routed(key, "/customers/7/orders", &[("customer_id", "7")]);
        assert_eq!(parameters(ORDERS, &event), None);
    }

    #[test]
    fn the_path_decides_if_the_route_has_another_form() {
        for key in ["ANY /{proxy+}", "GET /orders/{id}", "GET /other"] {
            let event = routed(Some(key), "/orders/7", &[("id", "8")]);
            assert_eq!(
                parameters(ORDER, &event),
                Some(vec!["7".to_owned()]),
                "{key}"
            );
            let event = routed(Some(key), "/other", &[]);
            assert_eq!(parameters(ORDER, &event), None, "{key}");
            assert_eq!(parameters(ORDERS, &event), None, "{key}");
        }
    }

    #[test]
    fn a_parameter_is_decoded_once_from_any_sender() {
        let id = |key: Option<&str>, raw_path: &str, named: &str| {
            let event = routed(key, raw_path, &[("order_id", named)]);
            let parameters = ORDER.parameters(&event).unwrap();
            let id = parameters.get("order_id").unwrap().unwrap();
            id.into_owned()
        };
        // The gateway decodes the path and its parameters, even if that produces a slash.
        let gateway = Some("GET /orders/{order_id}");
        assert_eq!(id(gateway, "/orders/a%2Fb", "a%2Fb"), "a%2Fb");
        assert_eq!(id(None, "/orders/a/b", "a/b"), "a/b");
        let cargo_lambda = Some("$default");
        assert_eq!(id(cargo_lambda, "/orders/a%252Fb", "a%252Fb"), "a%2Fb");
        assert_eq!(ORDER.match_path("/orders/7").unwrap().get("id"), None);
    }

    #[test]
    fn head_is_accepted_like_get() {
        for (route, methods) in [
            (ORDER, &["GET", "HEAD"][..]),
            (ORDERS, &["POST"]),
            (Route::patch("/orders/{order_id}"), &["PATCH"]),
        ] {
            for method in [
                "GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "get", "",
            ] {
                assert_eq!(
                    route.takes(method),
                    methods.contains(&method),
                    "{method} {route}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn any_path_is_handled_without_a_panic(path in any::<String>(), stage in any::<String>()) {
            let _ = of_path(ORDER, &path, &stage);
        }

        #[test]
        fn a_segment_survives_its_encoding(segment in "[^/]+") {
            prop_assert_eq!(
                of_path(ORDER, &format!("/orders/{segment}"), "$default"),
                Some(vec![segment])
            );
        }
    }
}
