//! The operations of the API: path, required access and function of each.

use axum::http::Method;

use super::call::{Answer, Call, Refusal};
use super::{
    DATABASE, ORGANIZATION, backups, branches, database, deploy_requests, insights, passwords,
    reviews,
};

/// The accesses of which a token needs one. There are none if every token may do it.
type Grants = &'static [&'static str];

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
const PASSWORD_TAKERS: Grants = &[
    "delete_production_branch_password",
    "delete_branch_password",
];

/// What a call of the database needs, as the API's document lists it.
fn grants(method: &str, path: &[&str]) -> Grants {
    match (method, path) {
        ("GET", []) => DATABASE_READERS,
        ("GET", ["backup-policies"] | ["branches", _, "backups", ..]) => &["read_backups"],
        ("GET", ["schema-recommendations"]) => &["read_database"],
        ("GET", ["branches", _, "insights", ..]) => &["read_databases", "read_database"],
        ("GET", ["passwords"] | ["branches", ..]) => BRANCH_READERS,
        ("POST", ["branches"]) => BRANCH_MAKERS,
        ("PATCH", ["branches", _]) => &["write_database"],
        ("DELETE", ["branches", _]) => &["delete_branch"],
        ("DELETE", ["branches", _, "passwords", ..]) => PASSWORD_TAKERS,
        (_, ["branches", _, "passwords", ..]) => &["connect_production_branch", "connect_branch"],
        ("DELETE", ["branches", _, "backups", ..]) => {
            &["delete_backups", "delete_production_branch_backups"]
        }
        (_, ["branches", _, "backups", ..]) => &["write_backups"],
        (_, ["branches", _, "promote" | "demote"]) => &["connect_production_branch"],
        ("GET", ["deploy-requests", ..]) => &["read_deploy_request"],
        ("POST", ["deploy-requests", _, "reviews"]) => {
            &["approve_deploy_request", "review_deploy_request"]
        }
        (_, ["deploy-requests", ..]) => &["create_deploy_request"],
        _ => &[],
    }
}

impl Call<'_> {
    /// Refuses a write without access. A read without access finds nothing.
    fn may(&self, grants: Grants) -> Result<(), Refusal> {
        let has = |grant: &&str| self.records.has_access(&self.actor, grant);
        let granted = grants.is_empty() || grants.iter().any(has);
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
        ("GET", ["v1", "organizations", ORGANIZATION]) => Ok(database::organization(call)),
        ("GET", ["v1", "organizations", ORGANIZATION, "databases"]) => {
            call.may(DATABASE_READERS)?;
            database::list(call).await
        }
        (
            method,
            [
                "v1",
                "organizations",
                ORGANIZATION,
                "databases",
                DATABASE,
                path @ ..,
            ],
        ) => {
            call.may(grants(method, path))?;
            match path {
                ["branches", name, path @ ..] => of_branch(call, method, name, path).await,
                ["deploy-requests", number, path @ ..] => {
                    let number = number.parse().map_err(|_| Refusal::NotFound)?;
                    of_deploy_request(call, method, number, path).await
                }
                path => of_database(call, method, path).await,
            }
        }
        _ => Err(Refusal::NotFound),
    }
}

async fn of_database(call: &mut Call<'_>, method: &str, path: &[&str]) -> Result<Answer, Refusal> {
    match (method, path) {
        ("GET", []) => database::get(call).await,
        ("GET", ["backup-policies"]) => backups::policies(call),
        ("GET", ["schema-recommendations"]) => insights::recommendations(call),
        ("GET", ["passwords"]) => passwords::list(call, None),
        ("GET", ["deploy-queue"]) => deploy_requests::queue(call),
        ("GET", ["branches"]) => branches::list(call),
        ("POST", ["branches"]) => branches::create(call).await,
        ("GET", ["deploy-requests"]) => deploy_requests::list(call),
        ("POST", ["deploy-requests"]) => deploy_requests::create(call),
        _ => Err(Refusal::NotHere),
    }
}

async fn of_branch(
    call: &mut Call<'_>,
    method: &str,
    name: &str,
    path: &[&str],
) -> Result<Answer, Refusal> {
    match (method, path) {
        ("GET", []) => branches::get(call, name),
        ("PATCH", []) => branches::update(call, name),
        ("DELETE", []) => branches::delete(call, name).await,
        ("GET", ["schema"]) => branches::schema(call, name).await,
        ("GET", ["schema", "lint"]) => branches::lint(call, name).await,
        ("GET", ["diff"]) => branches::diff(call, name).await,
        ("POST", ["safe-migrations"]) => branches::protect(call, name, true).await,
        ("DELETE", ["safe-migrations"]) => branches::protect(call, name, false).await,
        ("POST", ["refresh-schema"]) => branches::refresh_schema(call, name),
        ("POST", ["promote"]) => branches::promote(call, name, true),
        ("POST", ["demote"]) => branches::promote(call, name, false),
        ("GET", ["passwords"]) => passwords::list(call, Some(name)),
        ("POST", ["passwords"]) => passwords::create(call, name).await,
        ("GET", ["passwords", id]) => passwords::get(call, name, id),
        ("PATCH", ["passwords", id]) => passwords::update(call, name, id),
        ("DELETE", ["passwords", id]) => passwords::delete(call, name, id).await,
        ("POST", ["passwords", id, "renew"]) => passwords::renew(call, name, id),
        ("GET", ["backups"]) => backups::list(call, name),
        ("POST", ["backups"]) => backups::create(call, name).await,
        ("GET", ["backups", id]) => backups::get(call, name, id),
        ("PATCH", ["backups", id]) => backups::update(call, name, id),
        ("DELETE", ["backups", id]) => backups::delete(call, name, id).await,
        ("GET", ["insights"]) => insights::queries(call, name),
        ("GET", ["insights", "anomalies"]) => insights::anomalies(call, name),
        ("GET", ["insights", "anomalies", id]) => insights::anomaly(call, name, id),
        ("GET", ["insights", "errors"]) => insights::errors(call, name),
        ("GET", ["insights", fingerprint]) => insights::runs(call, name, fingerprint),
        ("GET", ["insights", fingerprint, "summary"]) => insights::summary(call, name, fingerprint),
        _ => Err(Refusal::NotHere),
    }
}

async fn of_deploy_request(
    call: &mut Call<'_>,
    method: &str,
    number: u64,
    path: &[&str],
) -> Result<Answer, Refusal> {
    match (method, path) {
        ("GET", []) => deploy_requests::get(call, number).await,
        ("PATCH", []) => deploy_requests::close(call, number),
        ("POST", ["deploy"]) => deploy_requests::deploy(call, number),
        ("POST", [action @ ("apply-deploy" | "cancel" | "complete-deploy" | "revert")]) => {
            deploy_requests::act(call, number, action)
        }
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
