//! The control plane of a running `cargo dev`.

use std::fs;
use std::path::Path;

use tests::stand_ins::control_plane::{ApiClient, DATABASE, ORGANIZATION, ServiceToken};

/// A client of the control plane, found in `target/dev/environment` as other tools find it.
pub fn client(folder: &Path) -> ApiClient {
    let text = fs::read_to_string(folder.join("environment")).unwrap();
    let variable = |name: &str| -> &str {
        let mut lines = text.lines();
        lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap()
    };
    for (name, value) in [
        ("PLANETSCALE_ORG", ORGANIZATION),
        ("PLANETSCALE_ORGANIZATION", ORGANIZATION),
        ("PLANETSCALE_DATABASE", DATABASE),
        ("PLANETSCALE_TOKEN_SECRET_ID", "orders/planetscale"),
    ] {
        assert_eq!(variable(name), value, "{name}");
    }
    let token = ServiceToken {
        id: variable("PLANETSCALE_SERVICE_TOKEN_ID").to_owned(),
        token: variable("PLANETSCALE_SERVICE_TOKEN").to_owned(),
    };
    ApiClient::new(variable("PLANETSCALE_API_URL"), &token)
}
