//! Envelopes: the elements of an array, one after another, and lines that are a piece of an array.
//!
//! Elements are found where they lie, so that an array of a million costs no memory, and from any
//! element on, so that a caller can stop and go on later.

use serde::Deserialize;
use serde_json::Deserializer;
use serde_json::value::RawValue;

/// The elements of an array that is known to be JSON.
#[derive(Clone, Copy, Debug)]
pub struct Items<'l> {
    text: &'l [u8],
    next: NextItem,
}

/// Where to look for the next element of an array in its line's text, and the number of that
/// element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextItem {
    at: usize,
    number: u64,
}

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'l> {
    /// 0 for the first.
    pub number: u64,
    /// Where it begins in its line's text.
    pub start: usize,
    /// Its JSON text.
    pub text: &'l str,
}

impl<'l> Items<'l> {
    /// The elements of the array whose opening bracket is at `start` in `text`.
    pub(super) fn new(text: &'l str, start: usize) -> Self {
        Items { text: text.as_bytes(), next: NextItem { at: start + 1, number: 0 } }
    }

    /// The elements of the same line from `next` on. Only these are read, not the whole line again.
    pub fn resume(text: &'l [u8], next: NextItem) -> Self {
        Items { text, next }
    }

    /// Where to go on.
    pub fn next_item(&self) -> NextItem {
        self.next
    }
}

impl<'l> Iterator for Items<'l> {
    type Item = Item<'l>;

    fn next(&mut self) -> Option<Item<'l>> {
        let rest = &self.text[self.next.at..];
        let between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',');
        let start = self.next.at + rest.iter().position(|byte| !between(byte))?;
        let rest = &self.text[start..];
        if rest.starts_with(b"]") {
            return None;
        }
        let text = <&RawValue>::deserialize(&mut Deserializer::from_slice(rest)).ok()?.get();
        let number = self.next.number;
        self.next = NextItem { at: start + text.len(), number: number + 1 };
        Some(Item { number, start, text })
    }
}

/// What JSON calls whitespace.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Whether the line is only a bracket of an array.
pub(super) fn is_bracket(text: &str) -> bool {
    matches!(text.trim_matches(is_space), "[" | "]")
}

/// The object before a comma, if the line is one.
pub(super) fn listed(text: &str) -> Option<&str> {
    text.trim_end_matches(is_space).strip_suffix(',').filter(|object| is_object(object))
}

/// Whether a text begins as an object does.
pub(super) fn is_object(text: &str) -> bool {
    text.trim_start_matches(is_space).starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_where_they_lie_and_from_anywhere() {
        let text = r#" {"records" : [ {"a":[1,2]} ,"x]",-1.5e3, [ ] ,null,{} ] } "#;
        let items: Vec<_> = Items::new(text, 14).collect();
        let texts: Vec<_> = items.iter().map(|item| item.text).collect();
        assert_eq!(texts, [r#"{"a":[1,2]}"#, r#""x]""#, "-1.5e3", "[ ]", "null", "{}"]);
        assert!(items.iter().zip(0..).all(|(item, number)| item.number == number));
        assert!(items.iter().all(|item| text[item.start..].starts_with(item.text)));
        for from in 0..=items.len() {
            let mut begun = Items::new(text, 14);
            begun.by_ref().take(from).for_each(drop);
            assert_eq!(Items::resume(text.as_bytes(), begun.next_item()).collect::<Vec<_>>(), items[from..]);
        }
        assert_eq!(Items::new("[]", 0).next(), None);
    }

    #[test]
    fn pieces_of_arrays_are_told() {
        assert!(is_bracket(" [\t") && is_bracket("]") && !is_bracket("[]") && !is_bracket("],"));
        assert_eq!(listed(" {\"a\":1} , "), Some(" {\"a\":1} "));
        assert_eq!((listed("1,"), listed("{}"), listed("[1],")), (None, None, None));
    }
}
