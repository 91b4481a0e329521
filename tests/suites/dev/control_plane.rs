//! PlanetScale's API of a running `cargo dev`.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// The control plane of a running `cargo dev`, found as other tools find it.
pub struct ControlPlane {
    branches: String,
    authorization: String,
}

impl ControlPlane {
    pub fn of(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join("environment")).unwrap();
        let variable = |name: &str| -> &str {
            let mut lines = text.lines();
            lines
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .unwrap()
        };
        assert_eq!(
            variable("PLANETSCALE_ORG"),
            variable("PLANETSCALE_ORGANIZATION")
        );
        assert_eq!(
            variable("PLANETSCALE_TOKEN_SECRET_ID"),
            "orders/planetscale"
        );
        let branches = format!(
            "{}/v1/organizations/{}/databases/{}/branches",
            variable("PLANETSCALE_API_URL"),
            variable("PLANETSCALE_ORG"),
            variable("PLANETSCALE_DATABASE")
        );
        let (id, token) = (
            variable("PLANETSCALE_SERVICE_TOKEN_ID"),
            variable("PLANETSCALE_SERVICE_TOKEN"),
        );
        Self {
            branches,
            authorization: format!("{id}:{token}"),
        }
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) -> u16 {
        let request = tests::http_client()
            .request(method.parse().unwrap(), format!("{}{path}", self.branches))
            .header("authorization", &self.authorization)
            .json(body);
        request.send().await.unwrap().status().as_u16()
    }
}
