//! The models, a single page of them.

use serde::Serialize;

use crate::profile::Profile;

/// When all models came to be.
const CREATED: &str = "2025-01-01T00:00:00Z";

#[derive(Serialize)]
struct Page<'a> {
    data: Vec<Model<'a>>,
    first_id: Option<&'a str>,
    has_more: bool,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Model<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: &'static str,
    lifecycle: &'static str,
}

impl<'a> Model<'a> {
    fn new(id: &'a str) -> Self {
        Self { r#type: "model", id, display_name: id, created_at: CREATED, lifecycle: "active" }
    }
}

/// The body of the answer to `GET /v1/models`.
pub(in crate::wire) fn list(profile: &Profile) -> Vec<u8> {
    let data: Vec<_> = profile.models().map(Model::new).collect();
    let [first_id, last_id] = [data.first(), data.last()].map(|model| model.map(|model| model.id));
    serde_json::to_vec(&Page { data, first_id, has_more: false, last_id }).expect("strings are always JSON")
}

/// The body of the answer to `GET /v1/models/{id}`.
pub(in crate::wire) fn one(id: &str) -> Vec<u8> {
    serde_json::to_vec(&Model::new(id)).expect("strings are always JSON")
}
