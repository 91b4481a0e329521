//! The control plane of a running `cargo dev`.

use std::path::Path;

use tests::stand_ins::control_plane::{ApiClient, DATABASE, ORGANIZATION, ServiceToken};

use crate::command::variable;

/// A client of the control plane, found in `target/dev/environment` as other tools find it.
pub fn client(folder: &Path) -> ApiClient {
    let variable = |name| variable(folder, name);
    for (name, value) in [
        ("PLANETSCALE_ORG", ORGANIZATION),
        ("PLANETSCALE_ORGANIZATION", ORGANIZATION),
        ("PLANETSCALE_DATABASE", DATABASE),
        ("PLANETSCALE_TOKEN_SECRET_ID", "orders/planetscale"),
    ] {
        assert_eq!(variable(name), value, "{name}");
    }
    let token = ServiceToken {
        id: variable("PLANETSCALE_SERVICE_TOKEN_ID"),
        token: variable("PLANETSCALE_SERVICE_TOKEN"),
    };
    ApiClient::new(&variable("PLANETSCALE_API_URL"), &token)
}
