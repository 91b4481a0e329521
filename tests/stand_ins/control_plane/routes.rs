//! The operations of the API: path, required access and function of each.

use axum::http::Method;

use super::call::{Answer, Call, Refusal};
use super::{
    DATABASE, ORGANIZATION, backups, branches, database, deploy_requests, insights, passwords,
    reviews,
};

/// The accesses of which an operation needs one, as the API's document lists them.
type Grants = &'static [&'static str];

/// The document lists no access: every token may do it.
const ANY: Grants = &[];
const DATABASE_READERS: Grants = &[
    "read_database",
    "delete_database",
    "write_database",
    "read_branch",
    "delete_branch",
    "create_branch",
    "connect_branch",
    "connect_production_branch",
    "read_deploy_request",
    "create_deploy_request",
    "approve_deploy_request",
    "restore_backup",
    "read_backups",
    "write_backups",
];
const BRANCH_READERS: Grants = &[
    "read_branch",
    "delete_branch",
    "create_branch",
    "connect_production_branch",
    "connect_branch",
];
const BRANCH_MAKERS: Grants = &[
    "create_branch",
    "restore_production_branch_backup",
    "restore_backup",
];
const PASSWORD_MAKERS: Grants = &["connect_production_branch", "connect_branch"];
const PASSWORD_TAKERS: Grants = &[
    "delete_production_branch_password",
    "delete_branch_password",
];
const BACKUP_TAKERS: Grants = &["delete_backups", "delete_production_branch_backups"];
const INSIGHT_READERS: Grants = &["read_databases", "read_database"];
const REVIEWERS: Grants = &["approve_deploy_request", "review_deploy_request"];
const DEPLOYERS: Grants = &["create_deploy_request"];
const DEPLOY_READERS: Grants = &["read_deploy_request"];

impl Call<'_> {
    /// Refuses a write without access. A read without access finds nothing.
    fn may(&self, grants: Grants) -> Result<(), Refusal> {
        let mut tokens = self.records.tokens.iter();
        let token = tokens.find(|token| token.id == self.actor);
        let token = token.ok_or(Refusal::Unauthorized)?;
        let granted =
            grants.is_empty() || grants.iter().any(|grant| !token.without.contains(*grant));
        match (granted, self.method == Method::GET) {
            (true, _) => Ok(()),
            (false, true) => Err(Refusal::NotFound),
            (false, false) => Err(Refusal::Forbidden),
        }
    }
}

/// Carries a call out.
pub async fn perform(call: &mut Call<'_>, path: &[&str]) -> Result<Answer, Refusal> {
    let method = call.method.clone();
    match (method.as_str(), path) {
        ("GET", ["v1", "organizations"]) => database::organizations(call),
        (_, ["v1", "organizations", organization, rest @ ..]) if *organization == ORGANIZATION => {
            match (method.as_str(), rest) {
                ("GET", []) => Ok(database::organization(call)),
                ("GET", ["databases"]) => {
                    call.may(DATABASE_READERS)?;
                    database::list(call).await
                }
                (method, ["databases", name, rest @ ..]) if *name == DATABASE => {
                    of_database(call, method, rest).await
                }
                _ => Err(Refusal::NotFound),
            }
        }
        _ => Err(Refusal::NotFound),
    }
}

async fn of_database(call: &mut Call<'_>, method: &str, path: &[&str]) -> Result<Answer, Refusal> {
    let (grants, path) = match (method, path) {
        ("GET", []) => (DATABASE_READERS, path),
        ("GET", ["backup-policies"]) => (&["read_backups"][..], path),
        ("GET", ["schema-recommendations"]) => (&["read_database"][..], path),
        ("GET", ["passwords"]) => (BRANCH_READERS, path),
        ("GET", ["deploy-queue"]) => (ANY, path),
        (_, ["branches", rest @ ..]) => return of_branches(call, method, rest).await,
        (_, ["deploy-requests", rest @ ..]) => {
            return of_deploy_requests(call, method, rest).await;
        }
        _ => return Err(Refusal::NotHere),
    };
    call.may(grants)?;
    match path {
        [] => database::get(call).await,
        ["backup-policies"] => backups::policies(call),
        ["schema-recommendations"] => insights::recommendations(call),
        ["passwords"] => passwords::list(call, None),
        _ => deploy_requests::queue(call),
    }
}

async fn of_branches(call: &mut Call<'_>, method: &str, path: &[&str]) -> Result<Answer, Refusal> {
    let [name, rest @ ..] = path else {
        return match method {
            "GET" => {
                call.may(BRANCH_READERS)?;
                branches::list(call)
            }
            "POST" => {
                call.may(BRANCH_MAKERS)?;
                branches::create(call).await
            }
            _ => Err(Refusal::NotHere),
        };
    };
    match (method, rest) {
        (_, ["passwords", rest @ ..]) => of_passwords(call, method, name, rest).await,
        (_, ["backups", rest @ ..]) => of_backups(call, method, name, rest).await,
        ("GET", ["insights", rest @ ..]) => {
            call.may(INSIGHT_READERS)?;
            of_insights(call, name, rest)
        }
        ("GET", _) => {
            call.may(BRANCH_READERS)?;
            match rest {
                [] => branches::get(call, name),
                ["schema"] => branches::schema(call, name).await,
                ["schema", "lint"] => branches::lint(call, name).await,
                ["diff"] => branches::diff(call, name).await,
                _ => Err(Refusal::NotHere),
            }
        }
        ("PATCH", []) => {
            call.may(&["write_database"])?;
            branches::update(call, name)
        }
        ("DELETE", []) => {
            call.may(&["delete_branch"])?;
            branches::delete(call, name).await
        }
        ("POST", ["safe-migrations"]) => branches::protect(call, name, true).await,
        ("DELETE", ["safe-migrations"]) => branches::protect(call, name, false).await,
        ("POST", ["refresh-schema"]) => branches::refresh_schema(call, name),
        ("POST", ["promote"]) => {
            call.may(&["connect_production_branch"])?;
            branches::promote(call, name, true)
        }
        ("POST", ["demote"]) => {
            call.may(&["connect_production_branch"])?;
            branches::promote(call, name, false)
        }
        _ => Err(Refusal::NotHere),
    }
}

async fn of_passwords(
    call: &mut Call<'_>,
    method: &str,
    branch: &str,
    path: &[&str],
) -> Result<Answer, Refusal> {
    call.may(match method {
        "GET" => BRANCH_READERS,
        "DELETE" => PASSWORD_TAKERS,
        _ => PASSWORD_MAKERS,
    })?;
    match (method, path) {
        ("GET", []) => passwords::list(call, Some(branch)),
        ("POST", []) => passwords::create(call, branch).await,
        ("GET", [id]) => passwords::get(call, branch, id),
        ("PATCH", [id]) => passwords::update(call, branch, id),
        ("DELETE", [id]) => passwords::delete(call, branch, id).await,
        ("POST", [id, "renew"]) => passwords::renew(call, branch, id),
        _ => Err(Refusal::NotHere),
    }
}

async fn of_backups(
    call: &mut Call<'_>,
    method: &str,
    branch: &str,
    path: &[&str],
) -> Result<Answer, Refusal> {
    call.may(match method {
        "GET" => &["read_backups"],
        "DELETE" => BACKUP_TAKERS,
        _ => &["write_backups"],
    })?;
    match (method, path) {
        ("GET", []) => backups::list(call, branch),
        ("POST", []) => backups::create(call, branch).await,
        ("GET", [id]) => backups::get(call, branch, id),
        ("PATCH", [id]) => backups::update(call, branch, id),
        ("DELETE", [id]) => backups::delete(call, branch, id).await,
        _ => Err(Refusal::NotHere),
    }
}

fn of_insights(call: &Call<'_>, branch: &str, path: &[&str]) -> Result<Answer, Refusal> {
    match path {
        [] => insights::queries(call, branch),
        ["anomalies"] => insights::anomalies(call, branch),
        ["anomalies", id] => insights::anomaly(call, branch, id),
        ["errors"] => insights::errors(call, branch),
        [fingerprint] => insights::runs(call, branch, fingerprint),
        [fingerprint, "summary"] => insights::summary(call, branch, fingerprint),
        _ => Err(Refusal::NotHere),
    }
}

async fn of_deploy_requests(
    call: &mut Call<'_>,
    method: &str,
    path: &[&str],
) -> Result<Answer, Refusal> {
    call.may(match (method, path) {
        ("GET", _) => DEPLOY_READERS,
        ("POST", [_, "reviews"]) => REVIEWERS,
        _ => DEPLOYERS,
    })?;
    let [number, rest @ ..] = path else {
        return match method {
            "GET" => deploy_requests::list(call),
            "POST" => deploy_requests::create(call),
            _ => Err(Refusal::NotHere),
        };
    };
    let number = number.parse().map_err(|_| Refusal::NotFound)?;
    match (method, rest) {
        ("GET", []) => deploy_requests::get(call, number).await,
        ("PATCH", []) => deploy_requests::close(call, number),
        ("POST", ["deploy"]) => deploy_requests::deploy(call, number),
        ("POST", ["apply-deploy"]) => deploy_requests::apply(call, number),
        ("POST", ["cancel"]) => deploy_requests::cancel(call, number),
        ("POST", ["complete-deploy"]) => deploy_requests::complete(call, number),
        ("POST", ["revert"]) => deploy_requests::revert(call, number),
        ("POST", ["skip-revert"]) => deploy_requests::skip_revert(call, number).await,
        ("PUT", ["auto-apply"]) => deploy_requests::auto_apply(call, number),
        ("PUT", ["auto-delete-branch"]) => deploy_requests::auto_delete_branch(call, number),
        ("GET", ["deployment"]) => deploy_requests::deployment(call, number).await,
        ("GET", ["operations"]) => deploy_requests::operations(call, number),
        ("GET", ["diff"]) => deploy_requests::diff(call, number).await,
        ("GET", ["storage-check"]) => deploy_requests::storage_check(call, number),
        ("GET", ["reviews"]) => reviews::list(call, number),
        ("POST", ["reviews"]) => reviews::create(call, number),
        _ => Err(Refusal::NotHere),
    }
}
