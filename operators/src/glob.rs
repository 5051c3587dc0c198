//! What a glob means, throughout: `*` and `?` stay within a folder, `**` crosses folders, `[ab]`
//! and `{a,b}` choose.

use globset::GlobBuilder;
pub use globset::GlobMatcher;

/// Compiles `pattern`; the error says what is wrong with it.
pub fn compile(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build().map(|glob| glob.compile_matcher())
}
