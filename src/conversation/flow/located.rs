//! YAML as JSON with the place of every key and value in the file.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

use super::{FaultKind, Place};

/// A file's content, and where each part of it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Located {
    /// The content.
    pub(super) json: Value,
    /// Places by JSON pointer: of keys where the part has one, else of values.
    places: HashMap<String, Place>,
}

impl Located {
    /// Reads YAML.
    pub(super) fn read(text: &str) -> Result<Self, (Place, FaultKind)> {
        // "no" is a word that callers say, not a truth value.
        let options = serde_saphyr::options! { strict_booleans: true };
        let node: Spanned<Node> =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| {
                let place = error.location().map_or_else(Place::default, place);
                let why = error.without_snippet().to_string();
                (place, FaultKind::Unreadable { why: one_line(&why) })
            })?;
        let mut located = Self::default();
        let at = place(node.referenced);
        located.json = located.take(String::new(), at, node.value);
        Ok(located)
    }

    /// Where a part stands; where the part is missing, its nearest ancestor.
    pub(super) fn place(&self, pointer: &str) -> Place {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return *place;
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => return Place { line: 1, column: 1 },
            }
        }
    }

    fn take(&mut self, pointer: String, at: Place, node: Node) -> Value {
        let value = match node {
            Node::Scalar(value) => value,
            Node::List(nodes) => {
                let each = nodes.into_iter().enumerate();
                each.map(|(index, node)| {
                    self.take(format!("{pointer}/{index}"), place(node.referenced), node.value)
                })
                .collect()
            }
            Node::Map(pairs) => {
                let each = pairs.into_iter();
                each.map(|(key, node)| {
                    let inner = join(&pointer, &key.value);
                    (key.value, self.take(inner, place(key.referenced), node.value))
                })
                .collect()
            }
        };
        self.places.insert(pointer, at);
        value
    }
}

/// Appends a key to a JSON pointer (RFC 6901 section 3).
pub(super) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn place(location: serde_saphyr::Location) -> Place {
    Place { line: location.line().max(1), column: location.column().max(1) }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A node of YAML whose children know their places.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping, a list or a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Node::Map(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_knows_its_line_and_column() {
        let located = Located::read("a: 1\nb:\n  - x\n  - c: [2, no]\n").unwrap();
        assert_eq!(located.json, serde_json::json!({"a": 1, "b": ["x", {"c": [2, "no"]}]}));
        assert_eq!(located.place("/b"), Place { line: 2, column: 1 });
        assert_eq!(located.place("/b/0"), Place { line: 3, column: 5 });
        assert_eq!(located.place("/b/1/c"), Place { line: 4, column: 5 });
        assert_eq!(located.place("/b/1/nothing"), located.place("/b/1"));
    }

    #[test]
    fn broken_yaml_names_its_place() {
        let (place, kind) = Located::read("a: 1\nb: [1,\nc: 2\n").unwrap_err();
        assert!(place.line >= 2, "{place:?}");
        assert!(matches!(kind, FaultKind::Unreadable { .. }));
    }
}
