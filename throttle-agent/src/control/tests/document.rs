//! The OpenAPI document against the routes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Methods of each path, as the document has them.
fn operations(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let paths = document["paths"].as_object().unwrap();
    let methods =
        |item: &Value| item.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
    paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

#[tokio::test]
async fn the_document_and_the_routes_have_the_same_methods() {
    let running = Running::start();
    let document: Value = running.client.get("/v1/openapi.json").await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let operations = operations(&document);
    assert!(operations.contains_key("/v1/limits/{prefix}"), "{operations:?}");
    for (path, documented) in operations {
        let path = path.replace('{', "x").replace('}', "");
        let request = format!("BREW {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = running.raw(&request).await;
        let allow = answer.lines().find_map(|line| line.strip_prefix("allow: "));
        let allow = allow.unwrap_or_else(|| panic!("{path} is no route: {answer}"));
        let mut routed: BTreeSet<String> = allow.split(',').map(str::to_owned).collect();
        // It comes with GET.
        routed.remove("HEAD");
        assert_eq!(routed, documented, "{path}");
    }
}

/// Routes are in the document because one list makes both.
#[test]
fn no_route_is_added_beside_the_document() {
    let source = include_str!("../routes/mod.rs");
    let (_, source) = source.split_once("pub(super) fn router(").unwrap();
    let (source, _) = source.split_once("\n}").unwrap();
    assert!(source.contains(".routes(routes!("));
    for beside in [".route(", ".nest(", ".merge(", ".route_service("] {
        assert!(!source.contains(beside), "{beside} adds routes that the document lacks");
    }
}

#[tokio::test]
async fn every_operation_says_what_can_go_wrong_and_how_it_is_told() {
    let running = Running::start();
    let document: Value = running.client.get("/v1/openapi.json").await.unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let mut names = BTreeSet::new();
    for operation in operations {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} is the name of two operations");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses["200"]["content"].is_object(), "{name}");
        let mut expected = vec!["403", "500", "503"];
        if operation["parameters"].is_array() {
            expected.extend(["400", "422"]);
        }
        if operation["requestBody"].is_object() {
            expected.extend(["400", "408", "413", "415", "422"]);
        }
        for status in expected {
            let path = responses[status]["$ref"].as_str().unwrap().trim_start_matches('#');
            let response = document.pointer(path).unwrap();
            let schema = &response["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(*schema, "#/components/schemas/Refusal", "{name} {status}");
        }
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(array) => array.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let running = Running::start();
    let document: Value = running.client.get("/v1/openapi.json").await.unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let path = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(path).is_some(), "{reference} leads nowhere");
    }
}
