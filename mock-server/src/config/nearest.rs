//! What someone probably meant to write.

/// Below this similarity (Jaro-Winkler, 0 to 1) a suggestion would mislead: "evry" and "every" have 0.94, "for" and "from" 0.72.
const LIKELY: f64 = 0.8;

/// Ends a sentence that refused `unknown`: `did you mean "x"?`, or `known here: x, y` when nothing comes near.
pub fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let likeness = |name: &str| strsim::jaro_winkler(unknown, name);
    match known.clone().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        None => "nothing is known here".to_owned(),
        Some(best) if likeness(best) >= LIKELY => format!("did you mean \"{best}\"?"),
        Some(_) => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
    }
}
