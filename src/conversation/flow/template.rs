//! Templates of prompts and requests (minijinja), and the filters that put values into words.

use std::collections::HashSet;

use jiff::civil::{Date, Time};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

use crate::conversation::values;

/// Name of the escaping in addresses.
const URL: &str = "url";

/// Templates with our filters: `digits`, `date`, `time`, `amount`, `number`.
///
/// Undefined variables are errors: a prompt with a hole in it is never said.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| match name {
        "url" => AutoEscape::Custom(URL.into()),
        _ => AutoEscape::None,
    });
    environment.set_formatter(|out, state, value| {
        let escaped = matches!(state.auto_escape(), AutoEscape::Custom(name) if *name == URL);
        if escaped && !value.is_undefined() {
            let text = value.to_string();
            return Ok(out.write_str(&url_escaped(&text))?);
        }
        minijinja::escape_formatter(out, state, value)
    });
    environment.add_filter("digits", |text: String| values::digits::spaced(&text));
    environment.add_filter("number", |number: u32| values::number::spoken(number));
    environment
        .add_filter("date", |text: String| text.parse::<Date>().map_or(text, values::date::spoken));
    environment
        .add_filter("time", |text: String| text.parse::<Time>().map_or(text, values::time::spoken));
    environment.add_filter("amount", |units: f64| {
        values::amount::spoken((units.clamp(0.0, 1e9) * 100.0).round() as u64)
    });
    environment
}

/// Variables that a template reads.
pub(super) fn variables(
    environment: &Environment<'_>,
    text: &str,
) -> Result<HashSet<String>, minijinja::Error> {
    Ok(environment.template_from_str(text)?.undeclared_variables(false))
}

/// Whether a text has no variables, and so can be synthesized at load.
pub(super) fn is_fixed(text: &str) -> bool {
    !text.contains("{{") && !text.contains("{%") && !text.is_empty()
}

/// Fills a template of a prompt.
pub(super) fn filled(
    environment: &Environment<'_>,
    text: &str,
    variables: &serde_json::Map<String, Value>,
) -> Result<String, minijinja::Error> {
    environment.render_named_str("prompt", text, minijinja::value::Serde(variables))
}

/// Fills a template of an address; values are percent-encoded, the template's own text is not.
pub(super) fn address(
    environment: &Environment<'_>,
    text: &str,
    variables: &serde_json::Map<String, Value>,
    trusted: &std::collections::BTreeMap<String, String>,
) -> Result<String, minijinja::Error> {
    // The flow's own variables hold whole addresses ("http://host:port"): put in before.
    let mut text = text.to_owned();
    for (name, value) in trusted {
        for pattern in [format!("{{{{ {name} }}}}"), format!("{{{{{name}}}}}")] {
            text = text.replace(&pattern, value);
        }
    }
    environment.render_named_str("url", &text, minijinja::value::Serde(variables))
}

/// Percent-encodes all but the unreserved characters (RFC 3986 section 2.3).
fn url_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vars(value: &Value) -> serde_json::Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn values_in_an_address_are_escaped_and_the_service_is_not() {
        let trusted = [("service".to_owned(), "http://127.0.0.1:1/x".to_owned())].into();
        let url = address(
            &environment(),
            "{{ service }}/orders/{{ name }}?a=b",
            &vars(&json!({"name": "a/../b c"})),
            &trusted,
        );
        assert_eq!(url.unwrap(), "http://127.0.0.1:1/x/orders/a%2F..%2Fb%20c?a=b");
    }

    #[test]
    fn filters_put_values_into_words() {
        let said = filled(
            &environment(),
            "{{ n | digits }}; {{ d | date }}; {{ t | time }}; {{ a | amount }}",
            &vars(&json!({"n": "1203", "d": "2027-05-03", "t": "18:30", "a": 12.5})),
        );
        let expected = "1 2 0 3; Monday the third of May; six thirty p m; \
                        twelve dollars and fifty cents";
        assert_eq!(said.unwrap(), expected);
    }

    #[test]
    fn a_prompt_with_a_hole_is_an_error() {
        assert!(filled(&environment(), "it is {{ order.status }}", &vars(&json!({}))).is_err());
    }
}
