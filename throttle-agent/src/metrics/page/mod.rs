//! The web page: files that need nothing but each other.

use axum::{Router, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};

/// Serves the page and its parts.
pub(super) fn router() -> Router {
    let file = |content_type: &'static str, text: &'static str| {
        get(move || async move { ([(CONTENT_TYPE, content_type)], text).into_response() })
    };
    let script = |text| file("text/javascript; charset=utf-8", text);
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("page.html")))
        .route("/page.css", file("text/css; charset=utf-8", include_str!("page.css")))
        .route("/page.js", script(include_str!("page.js")))
        .route("/host.js", script(include_str!("host.js")))
        .route("/figures.js", script(include_str!("figures.js")))
        .route("/table.js", script(include_str!("table.js")))
        .route("/units.js", script(include_str!("units.js")))
}
