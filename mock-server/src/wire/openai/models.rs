//! The list of models.

use serde::Serialize;

use crate::profile::Profile;

/// 2025-01-01T00:00:00Z: when all models came to be.
const CREATED_S: u64 = 1_735_689_600;

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

/// The body of the answer to `GET /v1/models`.
pub(crate) fn body(profile: &Profile) -> Vec<u8> {
    let model = |id| Model { id, object: "model", created: CREATED_S, owned_by: "relaybench" };
    let list = List { object: "list", data: profile.models().map(model).collect() };
    serde_json::to_vec(&list).expect("strings and numbers are always JSON")
}
