//! The live page: plain files, embedded in the binary as they are. There is no build step, and they
//! load nothing from elsewhere.

/// Path, type and content of each file.
pub(super) const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/live.css", "text/css; charset=utf-8", include_str!("page/live.css")),
    ("/live.js", "text/javascript; charset=utf-8", include_str!("page/live.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];
