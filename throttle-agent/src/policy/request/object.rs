//! Objects of JSON that are nothing but objects.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// Reads an object. Left to itself, serde also takes an array for the values without their keys.
pub(super) fn object<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(Object(PhantomData))
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with rates")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::{LimitRequest, PolicyRequest};

    #[test]
    fn an_array_is_no_object_wherever_it_stands() {
        let read =
            |text| serde_json::from_str::<LimitRequest>(text).map_err(|error| error.to_string());
        assert!(read(r#"{"up": {"packets_per_second": 7}}"#).is_ok());
        let error = read(r#"{"up": [null, null]}"#).unwrap_err();
        assert!(error.contains("expected an object with rates"), "{error}");
        let whole = r#"{"links": [{"interface": "eth1", "down": []}]}"#;
        assert!(serde_json::from_str::<PolicyRequest>(whole).is_err());
    }
}
