//! The shape of JSON: keys and types, without values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Objects under these keys have a key for each thing there is, of which there may be any.
const MAPS: [&str; 2] = ["reasons", "packets_per_second"];

/// Keys and types of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// What it can be besides an object or an array.
    plain: BTreeSet<&'static str>,
    fields: Option<BTreeMap<String, Shape>>,
    items: Option<Box<Shape>>,
}

impl Shape {
    /// The shape of a value. That of an array is what its items have together.
    pub fn of(value: &Value) -> Self {
        let plain = |name| Self { plain: BTreeSet::from([name]), ..Self::default() };
        match value {
            Value::Null => plain("null"),
            Value::Bool(_) => plain("bool"),
            Value::String(_) => plain("string"),
            Value::Number(number) if number.is_f64() => plain("number"),
            Value::Number(_) => plain("integer"),
            Value::Array(items) => {
                let mut all = Self::default();
                items.iter().for_each(|item| all.add(Self::of(item)));
                Self { items: Some(Box::new(all)), ..Self::default() }
            }
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| {
                    let shape = Self::of(value);
                    (
                        name.clone(),
                        if MAPS.contains(&name.as_str()) { shape.any_key() } else { shape },
                    )
                });
                Self { fields: Some(fields.collect()), ..Self::default() }
            }
        }
    }

    /// Lets it be what another one is, too.
    fn add(&mut self, other: Self) {
        self.plain.extend(other.plain);
        for (name, shape) in other.fields.into_iter().flatten() {
            self.fields.get_or_insert_default().entry(name).or_default().add(shape);
        }
        if let Some(items) = other.items {
            self.items.get_or_insert_default().add(*items);
        }
    }

    fn any_key(mut self) -> Self {
        let Some(fields) = self.fields.take().filter(|fields| !fields.is_empty()) else {
            return self;
        };
        let mut all = Self::default();
        fields.into_values().for_each(|shape| all.add(shape));
        self.fields = Some(BTreeMap::from([("*".to_owned(), all)]));
        self
    }

    /// One line for each value that is neither object nor array, as in `.links[].up.passed_bytes integer`.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.write("", &mut lines);
        lines
    }

    fn write(&self, path: &str, lines: &mut Vec<String>) {
        if !self.plain.is_empty() {
            let types: Vec<_> = self.plain.iter().copied().collect();
            lines.push(format!("{path} {}", types.join("|")));
        }
        for (name, shape) in self.fields.iter().flatten() {
            shape.write(&format!("{path}.{name}"), lines);
        }
        if let Some(items) = &self.items {
            if **items == Self::default() {
                lines.push(format!("{path}[]"));
            }
            items.write(&format!("{path}[]"), lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_of_an_array_add_up() {
        let shape = Shape::of(&json!({"a": [{"b": 1}, {"b": null}, {"c": 0.5}], "d": []}));
        assert_eq!(shape.lines(), [".a[].b integer|null", ".a[].c number", ".d[]"]);
    }

    #[test]
    fn a_map_has_any_keys() {
        let one = Shape::of(&json!({"reasons": {"conforms": 1}}));
        assert_eq!(one, Shape::of(&json!({"reasons": {"internal": 1, "host_bytes": 2}})));
        assert_eq!(one.lines(), [".reasons.* integer"]);
    }
}
