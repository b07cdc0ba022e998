//! The models.

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

impl<'a> Model<'a> {
    fn new(id: &'a str) -> Self {
        Self { id, object: "model", created: CREATED_S, owned_by: "relaybench" }
    }
}

/// The body of the answer to `GET /v1/models`.
pub(crate) fn list(profile: &Profile) -> Vec<u8> {
    let list = List { object: "list", data: profile.models().map(Model::new).collect() };
    serde_json::to_vec(&list).expect("strings and numbers are always JSON")
}

/// The body of the answer to `GET /v1/models/{id}`.
pub(crate) fn one(id: &str) -> Vec<u8> {
    serde_json::to_vec(&Model::new(id)).expect("strings and numbers are always JSON")
}
