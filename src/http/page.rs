//! The live page: plain files, in the binary as they lie in the folder. Nothing builds them, and they ask for nothing elsewhere.

/// Path, type and content of each.
pub(super) const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/live.css", "text/css; charset=utf-8", include_str!("page/live.css")),
    ("/live.js", "text/javascript; charset=utf-8", include_str!("page/live.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];
