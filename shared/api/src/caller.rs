//! The caller, as the gateway's authorizer identifies it.

use serde_json::value::RawValue;

use super::{Problem, event::Fields, settings::Settings};

/// The caller. The gateway has already checked the signature or the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    authority: Authority,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Authority {
    AllCustomers,
    Customer(String),
    NoCustomer,
}

impl Caller {
    /// Whether the caller may see and change everything that belongs to `customer`. If only some
    /// callers may make a change (who says that an order is paid?), the handler must check that
    /// too.
    ///
    /// - A token acts for the customer that its `sub` claim names, and for all customers if it has
    ///   the scope of the setting `ALL_CUSTOMERS_SCOPE`.
    /// - A caller with AWS credentials (IAM) acts for all customers. The end users of a Cognito
    ///   identity pool have such credentials too, some without logging in, and act for nobody.
    /// - With `ALLOW_UNAUTHENTICATED`, a caller whom no authorizer has checked acts for all.
    pub fn may_act_for(&self, customer: &str) -> bool {
        match &self.authority {
            Authority::AllCustomers => true,
            Authority::Customer(own) => own == customer,
            Authority::NoCustomer => false,
        }
    }

    /// Like [`may_act_for`](Self::may_act_for), but as an error.
    ///
    /// # Errors
    ///
    /// 403 if the caller may not.
    pub fn must_act_for(&self, customer: &str) -> Result<(), Problem> {
        if self.may_act_for(customer) {
            Ok(())
        } else {
            Err(Problem::forbidden())
        }
    }

    /// 401 if there is no authorizer, if it names nobody, or if it is of an unknown kind, because
    /// then it is unclear what it has checked.
    pub(super) fn of(authorizer: Option<&RawValue>, settings: &Settings) -> Result<Self, Problem> {
        let Some(authorizer) = authorizer else {
            return Self::unauthenticated(settings);
        };
        let authority = match Fields::of(authorizer) {
            Some(authorizer) if authorizer.is_empty() => {
                return Self::unauthenticated(settings);
            }
            Some(authorizer) => match (authorizer.object("jwt"), authorizer.object("iam")) {
                (Some(token), _) => of_token(&token, settings)?,
                (None, Some(signer)) if !authorizer.has("jwt") => of_signer(&signer)?,
                _ => return Err(unknown_kind()),
            },
            None => return Err(unknown_kind()),
        };
        Ok(Self { authority })
    }

    fn unauthenticated(settings: &Settings) -> Result<Self, Problem> {
        if !settings.allow_unauthenticated {
            return Err(Problem::unauthorized(
                "no authorizer of the API has checked the caller",
            ));
        }
        let authority = Authority::AllCustomers;
        Ok(Self { authority })
    }
}

fn unknown_kind() -> Problem {
    Problem::unauthorized("the API's authorizer is of a kind that the function does not know")
}

fn of_token(token: &Fields<'_>, settings: &Settings) -> Result<Authority, Problem> {
    let claims = token.object("claims").unwrap_or_default();
    if let Some(scope) = &settings.all_customers_scope
        && scopes(&claims).contains(scope)
    {
        return Ok(Authority::AllCustomers);
    }
    match claims.string("sub") {
        Some(subject) if !subject.is_empty() => Ok(Authority::Customer(subject)),
        _ => Err(Problem::unauthorized(
            "the token names no subject, and has no scope that would replace one",
        )),
    }
}

/// The scopes of the token. The event's `scopes` are not used: they are the ones that the route
/// demands, and the token need have only one of them. Okta and Entra name the claim `scp`. A list
/// arrives as `[a b]`.
fn scopes(claims: &Fields<'_>) -> Vec<String> {
    let mut scopes = Vec::new();
    for claim in ["scope", "scp"].iter().filter_map(|name| claims.text(name)) {
        if let Ok(list) = serde_json::from_str::<Vec<String>>(&claim) {
            scopes.extend(list);
        } else {
            let list = claim
                .strip_prefix('[')
                .and_then(|list| list.strip_suffix(']'));
            scopes.extend(list.unwrap_or(&claim).split(' ').map(str::to_owned));
        }
    }
    scopes
}

fn of_signer(signer: &Fields<'_>) -> Result<Authority, Problem> {
    let names = ["userArn", "userId", "callerId", "accessKey"];
    let is_named = |name: &&str| signer.string(name).is_some_and(|value| !value.is_empty());
    if !names.iter().any(is_named) {
        return Err(Problem::unauthorized("the signature names no caller"));
    }
    let identity = signer.object("cognitoIdentity");
    let is_end_user = signer.has("cognitoIdentity") && identity.is_none_or(|one| !one.is_empty());
    Ok(if is_end_user {
        Authority::NoCustomer
    } else {
        Authority::AllCustomers
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::Event;

    const SCOPE: &str = "https://api.example.com/orders:all";

    fn settings(scope: Option<&str>) -> Settings {
        Settings {
            all_customers_scope: scope.map(str::to_owned),
            allow_unauthenticated: false,
        }
    }

    fn caller_with(settings: &Settings, context: Value) -> Result<Caller, Problem> {
        let context = json!({"version": "2.0", "requestContext": context}).to_string();
        let event: Event = serde_json::from_str(&context).unwrap();
        Caller::of(event.authorizer.as_deref(), settings)
    }

    fn caller(authorizer: Value) -> Option<Caller> {
        caller_with(&settings(Some(SCOPE)), json!({ "authorizer": authorizer })).ok()
    }

    fn token(claims: Value) -> Option<Caller> {
        caller(json!({"jwt": {"claims": claims, "scopes": null}}))
    }

    /// Whether a caller may act for its own customer, and for another one.
    fn acts_for(caller: &Option<Caller>) -> Option<(bool, bool)> {
        let caller = caller.as_ref()?;
        Some((caller.may_act_for("cust-1"), caller.may_act_for("cust-2")))
    }

    const OWN: Option<(bool, bool)> = Some((true, false));
    const ALL: Option<(bool, bool)> = Some((true, true));
    const NONE: Option<(bool, bool)> = Some((false, false));

    #[test]
    fn a_token_acts_for_its_subject_only() {
        let caller = token(json!({"sub": "cust-1", "scope": "openid orders:read"})).unwrap();
        assert!(caller.may_act_for("cust-1"));
        for other in ["cust-2", "cust-", "cust-11", "CUST-1", "cust-1 ", ""] {
            assert!(!caller.may_act_for(other), "{other}");
        }
    }

    #[test]
    fn the_configured_scope_acts_for_all_customers() {
        for claims in [
            json!({"sub": "cust-1", "scope": format!("openid {SCOPE}")}),
            json!({"sub": "cust-1", "scope": format!("[openid {SCOPE}]")}),
            json!({"sub": "cust-1", "scp": format!("[openid {SCOPE}]")}),
            json!({"sub": "cust-1", "scp": ["openid", SCOPE]}),
            json!({"sub": "cust-1", "scope": 7, "scp": SCOPE}),
            json!({"scope": SCOPE}),
        ] {
            assert_eq!(acts_for(&token(claims.clone())), ALL, "{claims}");
        }
    }

    #[test]
    fn no_other_scope_acts_for_all_customers() {
        for scope in [
            "orders:all",
            "/orders:all",
            "https://evil.example/orders:all",
            "https://api.example.com/orders:all/",
            "https://api.example.com/orders:all:read",
            "https://api.example.com/ORDERS:ALL",
            "xhttps://api.example.com/orders:all",
            "[https://api.example.com/orders:all",
            "https://api.example.com/orders:all,openid",
        ] {
            for claim in ["scope", "scp", "roles"] {
                let claims = json!({"sub": "cust-1", claim: scope});
                assert_eq!(acts_for(&token(claims)), OWN, "{claim} {scope}");
            }
        }
        let demanded = json!({"jwt": {"claims": {"sub": "cust-1"}, "scopes": [SCOPE]}});
        assert_eq!(acts_for(&caller(demanded)), OWN);
    }

    #[test]
    fn without_a_configured_scope_no_scope_acts_for_all_customers() {
        for scope in ["", " ", "orders:all", SCOPE] {
            let claims = json!({"sub": "cust-1", "scope": scope});
            let context = json!({"authorizer": {"jwt": {"claims": claims}}});
            let caller = caller_with(&settings(None), context).ok();
            assert_eq!(acts_for(&caller), OWN, "{scope:?}");
        }
    }

    #[test]
    fn a_token_without_a_subject_is_nobody() {
        for claims in [
            json!({}),
            json!(null),
            json!("cust-1"),
            json!({"sub": ""}),
            json!({"sub": null}),
            json!({"sub": 7}),
            json!({"sub": ["cust-1"]}),
            json!({"scope": "orders:read"}),
        ] {
            assert_eq!(token(claims.clone()), None, "{claims}");
        }
    }

    #[test]
    fn a_caller_with_aws_credentials_acts_for_all_customers() {
        for cognito in [
            json!(null),
            json!({"amr": null, "identityId": null, "identityPoolId": null}),
        ] {
            let iam = json!({"userArn": "arn:aws:iam::1:user/a", "cognitoIdentity": cognito});
            let authorizer = json!({"iam": iam, "jwt": null, "lambda": null});
            assert_eq!(acts_for(&caller(authorizer)), ALL);
        }
        let without = json!({"iam": {"userArn": "arn:aws:iam::1:user/a"}});
        assert_eq!(acts_for(&caller(without)), ALL);
    }

    #[test]
    fn an_end_user_of_an_identity_pool_acts_for_nobody() {
        for cognito in [
            json!({"amr": ["unauthenticated"], "identityId": "us-east-1:7", "identityPoolId": "p"}),
            json!({"amr": null, "identityId": "us-east-1:7", "identityPoolId": null}),
            json!({"amr": []}),
            json!("us-east-1:7"),
            json!([]),
            json!(false),
        ] {
            let iam =
                json!({"userArn": "arn:aws:sts::1:assumed-role/a", "cognitoIdentity": cognito});
            assert_eq!(acts_for(&caller(json!({"iam": iam}))), NONE, "{cognito}");
        }
    }

    #[test]
    fn an_authorizer_that_names_nobody_or_is_unknown_is_refused() {
        for authorizer in [
            json!({"lambda": {"sub": "cust-1"}}),
            json!({"lambda": null, "principalId": "cust-1"}),
            json!({"iam": {}}),
            json!({"iam": {"userArn": null}}),
            json!({"iam": {"userArn": "", "userId": ""}}),
            json!({"iam": []}),
            json!({"iam": "arn:aws:iam::1:user/a"}),
            json!({"jwt": "token", "iam": {"userArn": "arn:aws:iam::1:user/a"}}),
            json!("iam"),
            json!(["iam"]),
            json!(true),
        ] {
            assert_eq!(caller(authorizer.clone()), None, "{authorizer}");
            let context = json!({ "authorizer": authorizer });
            let open = Settings {
                allow_unauthenticated: true,
                ..Settings::default()
            };
            assert!(caller_with(&open, context).is_err(), "{authorizer}");
        }
    }

    #[test]
    fn a_request_without_an_authorizer_needs_a_setting() {
        for context in [
            json!({}),
            json!({"authorizer": null}),
            json!({"authorizer": {}}),
            json!({"authorizer": {"jwt": null, "iam": null, "lambda": null}}),
        ] {
            let closed = caller_with(&Settings::default(), context.clone());
            assert!(closed.is_err(), "{context}");
            let open = Settings {
                allow_unauthenticated: true,
                ..Settings::default()
            };
            let caller = caller_with(&open, context.clone()).ok();
            assert_eq!(acts_for(&caller), ALL, "{context}");
        }
    }

    proptest! {
        #[test]
        fn only_the_exact_scope_acts_for_all_customers(scope in "(https://)?[a-z./:]{0,40}") {
            prop_assume!(scope != SCOPE);
            let caller = token(json!({"sub": "cust-1", "scope": scope}));
            prop_assert_eq!(acts_for(&caller), OWN);
        }
    }
}
