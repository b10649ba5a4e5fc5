//! The OpenAPI document: made of the handlers and their types, served at `/v1/openapi.json`.

use axum::{
    Extension,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use utoipa::{
    OpenApi,
    openapi::{
        self, Components, ContentBuilder, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
    },
};

use super::refusal::Refusal;
use crate::policy::TypedPrefix;

/// What the document says beside the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "throttle-agent",
        description = "Per-IP limits of one instance, over its unix socket. `up` is what a host sends, \
                       `down` what is sent to it; bytes are layer-3 bytes, packets wire packets. \
                       Every answer that is a failure is a `Refusal`."
    ),
    servers((url = "http://throttle", description = "the control socket, under whatever name")),
    components(schemas(Refusal, TypedPrefix))
)]
pub(super) struct Preface;

/// What goes wrong in the same way everywhere: status, name, and when.
const REFUSALS: [(u16, &str, &str); 8] = [
    (400, "Malformed", "path, query or body cannot be read"),
    (403, "NotPermitted", "the peer is neither root nor a member of group throttle"),
    (408, "TooSlow", "the body comes too slowly"),
    (413, "TooLarge", "the body is too large"),
    (415, "WrongType", "the body is of another type than application/json"),
    (422, "Unsound", "the request can be read, and makes no sense"),
    (500, "Failed", "what was asked for failed"),
    (503, "Busy", "there are too many connections, or the agent is about to exit"),
];

const WITH_ANY: &[u16] = &[403, 500, 503];
const WITH_PARAMETERS: &[u16] = &[400, 422];
const WITH_BODY: &[u16] = &[400, 408, 413, 415, 422];

/// The document, as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Document(Bytes);

impl Document {
    /// Completes what the routes say.
    pub(super) fn new(mut document: openapi::OpenApi) -> Self {
        let components = document.components.get_or_insert_default();
        describe_refusals(components);
        let paths = std::mem::take(&mut document.paths.paths);
        for (path, mut item) in paths {
            operations(&mut item).for_each(refer_to_refusals);
            // The router's sign for a variable part that may hold slashes.
            document.paths.paths.insert(path.replace("{*", "{"), item);
        }
        // Texts and numbers always serialize.
        Self(document.to_json().unwrap_or_default().into())
    }
}

/// Tells what can be asked.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "openapi",
    responses((status = 200, description = "this document", body = serde_json::Value))
)]
pub(super) async fn show(Extension(Document(text)): Extension<Document>) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

fn describe_refusals(components: &mut Components) {
    for (_, name, when) in REFUSALS {
        let schema = Ref::from_schema_name("Refusal");
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response =
            ResponseBuilder::new().description(when).content("application/json", content);
        components.responses.insert(name.to_owned(), response.build().into());
    }
}

fn refer_to_refusals(operation: &mut Operation) {
    let with_parameters = operation.parameters.as_ref().map_or(&[][..], |_| WITH_PARAMETERS);
    let with_body = operation.request_body.as_ref().map_or(&[][..], |_| WITH_BODY);
    for (status, name, _) in REFUSALS {
        if [WITH_ANY, with_parameters, with_body].iter().any(|list| list.contains(&status)) {
            let refusal = RefOr::Ref(Ref::from_response_name(name));
            operation.responses.responses.entry(status.to_string()).or_insert(refusal);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete]
        .into_iter()
        .flatten()
}
