//! The organization and its one database.

use serde_json::{Value, json};

use super::branches::DEFAULT;
use super::call::{Answer, Call, Refusal, Total, ok};
use super::constants::with_constants;
use super::{DATABASE, ORGANIZATION};

/// Where the database is in the API.
pub fn path() -> String {
    format!("/v1/organizations/{ORGANIZATION}/databases/{DATABASE}")
}

/// Where something of the database would be on PlanetScale's pages.
pub fn page(what: &str) -> String {
    format!("https://app.planetscale.com/{ORGANIZATION}/{DATABASE}/{what}")
}

/// The only region.
pub fn region() -> Value {
    with_constants("Region", json!({}))
}

pub fn organizations(call: &Call<'_>) -> Result<Answer, Refusal> {
    call.page(vec![organization_view(call)], Total::Untold)
}

pub fn organization(call: &Call<'_>) -> Answer {
    ok(organization_view(call))
}

fn organization_view(call: &Call<'_>) -> Value {
    let since = call.records.settings.created_at;
    json!({
        "id": "local",
        "name": ORGANIZATION,
        "created_at": since,
        "updated_at": since,
        "free_databases_remaining": 0,
    })
}

pub async fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let view = view(call).await?;
    call.page(vec![view], Total::Untold)
}

pub async fn get(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    Ok(ok(view(call).await?))
}

async fn view(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let schema = call.server.read(&call.shared.production).await?;
    let url = format!("{}{}", call.shared.url, path());
    let settings = &call.records.settings;
    let branches = &call.records.branches;
    let production = branches.iter().filter(|branch| branch.production).count();
    let own = json!({
        "id": DATABASE,
        "url": url,
        "branches_url": format!("{url}/branches"),
        "branches_count": branches.len(),
        "open_schema_recommendations_count": call.records.insights.recommendations.len(),
        "development_branches_count": branches.len() - production,
        "production_branches_count": production,
        "region": region(),
        "html_url": page(""),
        "name": DATABASE,
        "default_branch_table_count": schema.tables.len(),
        "default_branch": DEFAULT,
        "require_approval_for_deploy": settings.require_approval_for_deploy,
        "foreign_keys_enabled": settings.foreign_keys_enabled,
        "created_at": settings.created_at,
        "updated_at": settings.created_at,
    });
    Ok(with_constants("Database", own))
}
