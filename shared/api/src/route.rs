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
    /// trigger_router.rs). For these events, the raw path is split at the slashes of the URL. An
    /// API's own catch-all route works on the stage `$default` only, because on any other the raw path
    /// begins with the stage's name.
    pub(super) fn parameters(self, event: &Event) -> Option<Parameters> {
        let matched = self.matched(event);
        matched.or_else(|| self.match_path(&event.raw_path))
    }

    /// The parameters of an event that the gateway has matched with this route, below a base path
    /// if it has one.
    fn matched(self, event: &Event) -> Option<Parameters> {
        let (_, path) = event.route_key.split_once(' ')?;
        let base = path.trim_end_matches('/').strip_suffix(self.template)?;
        if base.contains('{') {
            return None;
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORDER: Route = Route::get("/orders/{order_id}");
    const ORDERS: Route = Route::post("/orders");

    /// The order's id, or an empty text for a path that has none, or `None` for another path.
    fn order_id(
        route: Route,
        key: &str,
        raw_path: &str,
        named: Option<(&str, &str)>,
    ) -> Option<String> {
        let named = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let event = Event {
            route_key: key.to_owned(),
            raw_path: raw_path.to_owned(),
            path_parameters: named.into_iter().collect(),
            ..Event::default()
        };
        let parameters = route.parameters(&event)?;
        let id = parameters.get("order_id").transpose().unwrap();
        Some(id.unwrap_or_default().into_owned())
    }

    #[test]
    fn the_route_that_the_gateway_names_or_else_the_path_decides() {
        const NAMED: &str = "GET /orders/{order_id}";
        const DEFAULT: &str = "$default";
        let seven = Some(("order_id", "7"));
        let escaped = Some(("order_id", "a%2Fb"));
        let twice = Some(("order_id", "a%252Fb"));
        let other = Some(("id", "8"));
        for (route, key, raw_path, named, expected) in [
            // The gateway has matched the path. The raw path may be below a base path.
            (ORDER, NAMED, "/orders/7", seven, Some("7")),
            (ORDER, NAMED, "/v1/orders/7", seven, Some("7")),
            (ORDER, NAMED, "/v1/orders/7/", seven, Some("7")),
            (ORDER, NAMED, "", seven, Some("7")),
            (ORDERS, "POST /orders", "/orders", None, Some("")),
            (ORDERS, "POST /orders", "/orders/", None, Some("")),
            (ORDERS, "POST /orders", "/v1/orders", None, Some("")),
            (ORDERS, "ANY /orders", "/a/b/orders/", None, Some("")),
            (ORDERS, "POST /v1/orders", "", None, Some("")),
            (ORDERS, "POST /orders/", "/else", None, Some("")),
            // It has decoded the parameter.
            (ORDER, NAMED, "/orders/a%2Fb", escaped, Some("a%2Fb")),
            // The route is deeper than this one.
            (ORDERS, "POST /a/{id}/orders", "/a/8/orders", other, None),
            // The route has another form, so the path decides.
            (ORDER, "ANY /{proxy+}", "/orders/7", other, Some("7")),
            (ORDER, "ANY /{proxy+}", "/other", None, None),
            (ORDER, "GET /orders/{id}", "/orders/7", other, Some("7")),
            (ORDER, "GET /orders/{id}", "/other", None, None),
            (ORDER, "GET /other", "/orders/7", other, Some("7")),
            (ORDER, "GET /other", "/other", None, None),
            (ORDERS, "GET /other", "/other", None, None),
            // There is no route. cargo-lambda names parameters, but does not decode them.
            (ORDER, DEFAULT, "/orders/7", None, Some("7")),
            (ORDER, DEFAULT, "/orders/7/", None, Some("7")),
            (ORDER, DEFAULT, "/orders/a%2Fb", None, Some("a/b")),
            (ORDER, DEFAULT, "/orders/a%252Fb", twice, Some("a%2Fb")),
            (ORDERS, DEFAULT, "/orders", None, Some("")),
            (ORDER, DEFAULT, "", None, None),
            (ORDER, DEFAULT, "/", None, None),
            (ORDER, DEFAULT, "/orders", None, None),
            (ORDER, DEFAULT, "/orders/", None, None),
            (ORDER, DEFAULT, "/orders//", None, None),
            (ORDER, DEFAULT, "/orders/7//", None, None),
            (ORDER, DEFAULT, "/orders/7/items", None, None),
            (ORDER, DEFAULT, "/live/orders/7", None, None),
            (ORDER, DEFAULT, "/Orders/7", None, None),
            (ORDER, DEFAULT, "orders/7", None, None),
            (ORDER, DEFAULT, "//orders/7", None, None),
        ] {
            let found = order_id(route, key, raw_path, named);
            assert_eq!(found.as_deref(), expected, "{route}: {key} {raw_path}");
        }
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
        fn any_path_is_handled_without_a_panic(path in any::<String>()) {
            let _ = ORDER.match_path(&path);
        }

        #[test]
        fn a_segment_survives_its_encoding(segment in "[^/]+") {
            let found = ORDER.match_path(&format!("/orders/{segment}")).unwrap();
            prop_assert_eq!(found.values, vec![("order_id", segment)]);
        }
    }
}
