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
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;

    const SCOPE: &str = "https://api.example.com/orders:all";

    /// Whether a token with these claims may act for all customers.
    fn acts_for_all(claims: Value, all_customers_scope: Option<&str>) -> bool {
        let settings = Settings {
            all_customers_scope: all_customers_scope.map(str::to_owned),
            allow_unauthenticated: false,
        };
        let authorizer = to_raw_value(&json!({"jwt": {"claims": claims}})).unwrap();
        let caller = Caller::of(Some(&authorizer), &settings).unwrap();
        caller.may_act_for("cust-2")
    }

    #[test]
    fn without_a_configured_scope_no_scope_acts_for_all_customers() {
        for scope in ["", " ", "orders:all", SCOPE] {
            let claims = json!({"sub": "cust-1", "scope": scope});
            assert!(!acts_for_all(claims, None), "{scope:?}");
        }
    }

    proptest! {
        #[test]
        fn only_the_exact_scope_acts_for_all_customers(scope in "(https://)?[a-z./:]{0,40}") {
            let claims = json!({"sub": "cust-1", "scope": scope});
            prop_assert_eq!(acts_for_all(claims, Some(SCOPE)), scope == SCOPE);
        }
    }
}
