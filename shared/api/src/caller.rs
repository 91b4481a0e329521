//! Who calls, as the gateway's authorizer says.

use aws_lambda_events::apigw::{
    ApiGatewayRequestAuthorizer, ApiGatewayRequestAuthorizerJwtDescription,
};

use super::Problem;

/// The scope that lets a token act for every customer.
const EVERY_CUSTOMER: &str = "orders:all";

/// Who calls. The gateway has checked the signature or the token before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The one customer that the caller may act for, where it is bound to one.
    customer: Option<String>,
}

impl Caller {
    /// Whether the caller may see and change what belongs to `customer`, all of it: what only some
    /// may change (who says that an order is paid?) is for the handler to ask besides.
    ///
    /// A token acts for the customer that its `sub` claim names, and for every one if it has the
    /// scope `orders:all`. A caller with AWS credentials (IAM) acts for all, and so does one
    /// that no authorizer stands before: who opens a route in `template.yaml` opens it.
    pub fn may_act_for(&self, customer: &str) -> bool {
        self.customer.as_deref().is_none_or(|own| own == customer)
    }

    /// 401 where a token names nobody, and for an authorizer of a kind that is not known here:
    /// what it vouches for is not known either.
    pub(super) fn of(authorizer: Option<&ApiGatewayRequestAuthorizer>) -> Result<Self, Problem> {
        let Some(authorizer) = authorizer else {
            return Ok(Self { customer: None });
        };
        match (&authorizer.jwt, &authorizer.iam) {
            (Some(token), _) if acts_for_all(token) => Ok(Self { customer: None }),
            (Some(token), _) => match token.claims.get("sub") {
                Some(subject) if !subject.is_empty() => Ok(Self {
                    customer: Some(subject.clone()),
                }),
                _ => Err(Problem::unauthorized(
                    "the token names no subject, and no scope that would do without",
                )),
            },
            (None, Some(_)) => Ok(Self { customer: None }),
            (None, None) => Err(Problem::unauthorized(
                "the API's authorizer is of a kind that the function does not know",
            )),
        }
    }
}

/// Asks the claims alone: the event's `scopes` are those that the route asks for, of which the
/// token has one, not all. Okta and Entra name the claim `scp`; one that was a list arrives as
/// `[a b]`. Cognito puts the resource server's identifier and a slash before a scope's name.
fn acts_for_all(token: &ApiGatewayRequestAuthorizerJwtDescription) -> bool {
    let claims = ["scope", "scp"].into_iter();
    claims
        .filter_map(|name| token.claims.get(name))
        .flat_map(|claim| {
            claim
                .trim_start_matches('[')
                .trim_end_matches(']')
                .split(' ')
        })
        .any(|scope| scope.rsplit('/').next() == Some(EVERY_CUSTOMER))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn caller(authorizer: Value) -> Option<Caller> {
        let authorizer = serde_json::from_value(authorizer).unwrap();
        Caller::of(Some(&authorizer)).ok()
    }

    fn token(claims: Value, scopes: Value) -> Option<Caller> {
        caller(json!({"jwt": {"claims": claims, "scopes": scopes}}))
    }

    #[test]
    fn a_token_acts_for_its_subject_only() {
        let caller = token(
            json!({"sub": "cust-1", "scope": "openid orders:read"}),
            json!(null),
        )
        .unwrap();
        assert!(caller.may_act_for("cust-1"));
        for other in ["cust-2", "cust-", "cust-11", "CUST-1", ""] {
            assert!(!caller.may_act_for(other), "{other}");
        }
    }

    #[test]
    fn the_scope_lifts_it() {
        for caller in [
            token(
                json!({"sub": "cust-1", "scope": "openid orders:all"}),
                json!(null),
            ),
            token(json!({"scope": "orders:all"}), json!(null)),
            token(json!({"scope": "[openid orders:all]"}), json!(null)),
            token(
                json!({"sub": "c", "scp": "[openid orders:all]"}),
                json!(null),
            ),
            token(
                json!({"sub": "c", "scope": "https://orders.example/orders:all"}),
                json!(null),
            ),
        ] {
            assert!(caller.unwrap().may_act_for("cust-2"));
        }
        for near in [
            "orders:all:read",
            "orders",
            "xorders:all",
            "ORDERS:ALL",
            "orders:all/read",
        ] {
            for claim in ["scope", "scp"] {
                let caller = token(json!({"sub": "cust-1", claim: near}), json!([near])).unwrap();
                assert!(!caller.may_act_for("cust-2"), "{near}");
            }
        }
    }

    #[test]
    fn what_the_route_asks_for_is_not_what_the_token_has() {
        let claims = json!({"sub": "cust-1", "scope": "orders:read"});
        let caller = token(claims, json!(["orders:read", "orders:all"])).unwrap();
        assert!(!caller.may_act_for("cust-2"));
    }

    #[test]
    fn a_token_without_a_subject_is_nobody() {
        for claims in [
            json!({}),
            json!(null),
            json!({"sub": ""}),
            json!({"scope": "orders:read"}),
        ] {
            assert_eq!(token(claims, json!(null)), None);
        }
    }

    #[test]
    fn iam_and_no_authorizer_act_for_all() {
        let iam =
            caller(json!({"iam": {"userArn": "arn:aws:iam::1234567890:user/Admin"}})).unwrap();
        assert!(iam.may_act_for("cust-1"));
        assert!(Caller::of(None).unwrap().may_act_for("cust-1"));
    }

    #[test]
    fn an_unknown_authorizer_vouches_for_nobody() {
        assert_eq!(caller(json!({"lambda": {"sub": "cust-1"}})), None);
        assert_eq!(caller(json!({})), None);
    }
}
