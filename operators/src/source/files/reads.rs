//! What a source reads, judged by its name alone: whether two names mean the same source, and
//! whether one reads everything that the other does.
//!
//! A source's name is its root, followed by nothing (everything below), a file's name, or a glob.
//! Partitions are named relative to the root, so sources that share a root and differ in the glob
//! are the same source, of which more or less is read. Names are canonical: a folder that can be
//! spelled in two ways has one name.

use std::fmt;

use crate::protocol::document::Origin;

/// The most alternatives that a glob is expanded to. A glob with more matches no file and covers
/// only itself.
const ALTERNATIVES: usize = 1_024;

/// What a source reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reads {
    source: String,
    root: String,
}

impl Reads {
    /// What the source of that name reads; its partitions are named relative to `root`.
    pub fn new(source: &str, root: &str) -> Reads {
        let (source, root) = (source.trim_end_matches('/'), root.trim_end_matches('/'));
        let whole = |root: &str| source.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let root = if whole(root) { root } else { source };
        Reads { source: source.to_owned(), root: root.to_owned() }
    }

    /// What a recorded source reads. Earlier builds did not record the root.
    pub fn recorded(source: &str, root: Option<&str>) -> Reads {
        let before_glob = || {
            let special = source.find(['*', '?', '[', '{'])?;
            source[..special].rfind('/').map(|slash| &source[..slash])
        };
        Reads::new(source, root.or_else(before_glob).unwrap_or(source))
    }

    /// What the source reads that a table has recorded.
    pub fn of(origin: &Origin) -> Reads {
        Reads::recorded(&origin.source, origin.root.as_deref())
    }

    /// The part of the name to which partition names are relative.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Whether a partition's name means the same in both: they differ only in how much they read.
    pub fn is_one_with(&self, other: &Reads) -> bool {
        self.source == other.source || self.root == other.root
    }

    /// The place of the partition of that name: the root and the name.
    pub fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    /// Whether the file at `place` is read.
    pub fn has(&self, place: &str) -> bool {
        let place = literal(place);
        self.patterns().is_some_and(|mine| mine.iter().any(|mine| holds(mine, &place)))
    }

    /// Whether everything that `other` reads is read, whatever files there are. `false` means:
    /// perhaps not.
    pub fn covers(&self, other: &Reads) -> bool {
        match (self.patterns(), other.patterns()) {
            (Some(mine), Some(theirs)) => theirs.iter().all(|one| mine.iter().any(|mine| holds(mine, one))),
            _ => self == other,
        }
    }

    /// The places that are read, as alternatives; `None` if there are too many or the glob is
    /// invalid.
    fn patterns(&self) -> Option<Vec<Vec<Token>>> {
        let root = literal(&self.root);
        let Some(rest) = self.source[self.root.len()..].strip_prefix('/') else {
            return Some(vec![[&root[..], &[Token::of('/'), Token::Tree]].concat()]);
        };
        let below = parse(&rest.chars().collect::<Vec<_>>())?;
        Some(below.into_iter().map(|rest| [&root[..], &[Token::of('/')], &rest].concat()).collect())
    }
}

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// One character of these ranges; if `not`, any other.
    One { ranges: Vec<(char, char)>, not: bool },
    /// Any characters within a folder.
    Star,
    /// Any characters.
    Tree,
}

impl Token {
    fn of(character: char) -> Token {
        Token::One { ranges: vec![(character, character)], not: false }
    }

    /// Whether this matches every character that `other` matches; both match single characters.
    fn includes(&self, other: &Token) -> bool {
        let (Token::One { ranges, not }, Token::One { ranges: theirs, not: their_not }) = (self, other) else {
            return false;
        };
        let within = |(from, to): &(char, char)| ranges.iter().any(|(low, high)| low <= from && to <= high);
        let apart = |(from, to): &(char, char)| ranges.iter().all(|(low, high)| high < from || to < low);
        match (not, their_not) {
            (false, false) => theirs.iter().all(within),
            (true, false) => theirs.iter().all(apart),
            // Whatever this leaves out, the other must leave out too.
            (true, true) => ranges.iter().all(|(from, to)| theirs.iter().any(|(low, high)| low <= from && to <= high)),
            (false, true) => false,
        }
    }

    /// Any one character but a slash.
    fn any() -> Token {
        Token::One { ranges: vec![('/', '/')], not: true }
    }

    /// Whether this, which matches any number of characters, can match those of `other` and more.
    fn swallows(&self, other: &Token) -> bool {
        match (self, other) {
            (Token::Tree, _) | (Token::Star, Token::Star) => true,
            (Token::Star, Token::One { .. }) => Token::any().includes(other),
            _ => false,
        }
    }
}

fn literal(text: &str) -> Vec<Token> {
    text.chars().map(Token::of).collect()
}

/// Whether `pattern` matches every string that `other` matches. `true` is always right; `false` is
/// right where `other` is literal.
fn holds(pattern: &[Token], other: &[Token]) -> bool {
    // From the end: for each place in `other`, whether the pattern from here on matches the rest of
    // it.
    let mut below: Vec<bool> = (0..=other.len()).map(|at| at == other.len()).collect();
    for token in pattern.iter().rev() {
        let mut here = vec![false; other.len() + 1];
        for at in (0..=other.len()).rev() {
            let next = other.get(at);
            here[at] = match token {
                Token::One { .. } => next.is_some_and(|next| token.includes(next)) && below[at + 1],
                _ => below[at] || (next.is_some_and(|next| token.swallows(next)) && here[at + 1]),
            };
        }
        below = here;
    }
    below[0]
}

/// The alternatives of a glob; `None` if there are too many, or it is no glob.
fn parse(glob: &[char]) -> Option<Vec<Vec<Token>>> {
    let mut all: Vec<Vec<Token>> = vec![Vec::new()];
    let mut at = 0;
    while at < glob.len() {
        let starts = at == 0 || glob[at - 1] == '/';
        let (pieces, read): (Vec<Vec<Token>>, usize) = match &glob[at..] {
            // Any number of folders, or none.
            ['*', '*', '/', ..] if starts => (vec![vec![], vec![Token::Tree, Token::of('/')]], 3),
            ['*', '*'] if starts => (vec![vec![Token::Tree]], 2),
            ['*', ..] => (vec![vec![Token::Star]], 1),
            ['?', ..] => (vec![vec![Token::any()]], 1),
            ['\\', escaped, ..] => (vec![vec![Token::of(*escaped)]], 2),
            ['[', class @ ..] => {
                let (token, length) = parse_class(class)?;
                (vec![vec![token]], 1 + length)
            }
            ['{', rest @ ..] => {
                let (choices, length) = split_braces(rest)?;
                let choices: Option<Vec<_>> = choices.into_iter().map(parse).collect();
                (choices?.concat(), 1 + length)
            }
            [other, ..] => (vec![vec![Token::of(*other)]], 1),
            [] => break,
        };
        if all.len() * pieces.len() > ALTERNATIVES {
            return None;
        }
        let longer = |before: &Vec<Token>| pieces.iter().map(|piece| [&before[..], piece].concat()).collect::<Vec<_>>();
        all = all.iter().flat_map(longer).collect();
        at += read;
    }
    Some(all)
}

/// The class that follows `[`, and its length with its `]`.
fn parse_class(class: &[char]) -> Option<(Token, usize)> {
    let not = matches!(class.first(), Some('!' | '^'));
    let first = usize::from(not);
    // A closing bracket that comes first is a member.
    let end = first + 1 + class.get(first + 1..)?.iter().position(|c| *c == ']')?;
    let (members, mut ranges, mut at) = (&class[first..end], Vec::new(), 0);
    while at < members.len() {
        match &members[at..] {
            [from, '-', to, ..] => {
                ranges.push((*from, *to));
                at += 3;
            }
            [one, ..] => {
                ranges.push((*one, *one));
                at += 1;
            }
            [] => break,
        }
    }
    Some((Token::One { ranges, not }, end + 1))
}

/// The choices that follow `{`, and their length with their `}`.
fn split_braces(rest: &[char]) -> Option<(Vec<&[char]>, usize)> {
    let (mut depth, mut begun, mut choices, mut at) = (0, 0, Vec::new(), 0);
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 1,
            '{' => depth += 1,
            ',' if depth == 0 => {
                choices.push(&rest[begun..at]);
                begun = at + 1;
            }
            '}' if depth == 0 => {
                choices.push(&rest[begun..at]);
                return Some((choices, at + 1));
            }
            '}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests;
