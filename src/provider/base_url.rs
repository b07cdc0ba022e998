//! Base URLs with variables of the environment in them.

/// The URL with a value for each `${NAME}`.
///
/// # Errors
///
/// The first name for which there is none; all that follows, where a brace is not closed.
pub(super) fn filled(url: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (mut filled, mut rest) = (String::new(), url);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { return Err(after.to_owned()) };
        filled += before;
        filled += &value(name).ok_or_else(|| name.to_owned())?;
        rest = behind;
    }
    Ok(filled + rest)
}

/// Whether this can be the name of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_has_its_value_and_the_first_without_one_is_named() {
        let value = |name: &str| (name == "A").then(|| "1".to_owned());
        assert_eq!(filled("https://h/${A}/x/${A}", value), Ok("https://h/1/x/1".to_owned()));
        assert_eq!(filled("https://h/${A}/${B}/${C}", value), Err("B".to_owned()));
        assert_eq!(filled("https://h/${A", value), Err("A".to_owned()));
        assert_eq!(filled("https://h/}", value), Ok("https://h/}".to_owned()));
    }
}
