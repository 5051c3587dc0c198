//! `parse`: turns lines into typed columns, some thousands of lines at a time.
//!
//! A line that breaks the rules becomes a [`Reject`], never a null. The rules are in
//! [`rows`](crate::format::logs::rows). A line may be an envelope of any number of records: a batch
//! that has enough rows ends inside it, so that the operators that follow never have more rows in
//! memory.
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use crate::format::logs::record::{Reason, Reject};
use crate::format::logs::rows::shape::{Opened, Shape};
use crate::format::logs::rows::{Items, NextItem, RowBuilder, Taken};
use crate::format::logs::settings::RowSettings;
use crate::position::Position;
use crate::source::files::block::Block;
use crate::source::files::reader::Fetched;
use crate::split::{BATCH_LINES, Line, Lines};

/// The rows of one batch of lines.
#[derive(Clone)]
pub struct Parsed {
    /// Where they come from.
    pub fetched: Fetched,
    /// The rows.
    pub rows: RecordBatch,
    /// The line of each row.
    pub lines: Vec<Line>,
    /// The rows that are records of an envelope, in order.
    pub elements: Vec<Element>,
    /// The lines, and records of envelopes, that did not become rows.
    pub rejects: Vec<Reject>,
    /// How often each shape was opened.
    pub opened: Opened,
}

impl Parsed {
    /// Rejects a row after all.
    pub fn reject(&self, row: usize, reason: Reason) -> Reject {
        let (line, block) = (&self.lines[row], &self.fetched.block);
        let (offset, keep) = (line.offset(block), self.fetched.work.settings.raw);
        match self.elements.binary_search_by_key(&row, |element| element.row) {
            Err(_) => Reject::keeping(keep, line.raw(block), offset, reason),
            Ok(at) => {
                let Element { number, start, end, .. } = self.elements[at];
                Reject::keeping(keep, &block.bytes[start..end], offset, reason).at_item(number)
            }
        }
    }
}

/// A row that is a record of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    row: usize,
    /// The number of the record in its line.
    number: u64,
    /// Where it lies in the block's bytes.
    start: usize,
    end: usize,
}

/// Parses lines into rows.
///
/// Here, `shared::blocks` stands for [`fetch`](crate::fetch::fetch), which has read a small file of
/// Azure's format:
///
/// ```
/// use arrow_array::cast::AsArray;
/// use arrow_array::types::Int64Type;
/// use lakefront_operators::parse::parse;
/// use lakefront_operators::split::split;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::Map;
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let env = shared::env();
/// let batches = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let text = "{\"properties\": {\"processId\": 812}}\n{\"properties\": {\"proc\n";
///         let lines = split(shared::blocks(scope, text, &env));
///         let batches = parse(lines).map(|parsed| {
///             let column = parsed.rows.column_by_name("process_id").expect("a column");
///             let processes = column.as_primitive::<Int64Type>().values().to_vec();
///             let reasons: Vec<_> = parsed.rejects.iter().map(|r| r.reason.as_str()).collect();
///             (processes, reasons)
///         });
///         batches.capture()
///     })
/// });
/// let (_cut, batches) = batches.extract().remove(0);
/// // The first line is a row, the second a reject.
/// assert_eq!(batches, [(vec![812], vec!["invalid_json"])]);
/// ```
pub fn parse<'s>(lines: StreamVec<'s, Position, Lines>) -> StreamVec<'s, Position, Parsed> {
    let scope = lines.scope();
    lines.unary::<CapacityContainerBuilder<Vec<Parsed>>, _, _, _>(Pipeline, "parse", |_, info| {
        let activator = scope.activator_for(info.address);
        let mut parser = Parser::default();
        let mut waiting: VecDeque<(Capability<Position>, Lines, Next)> = VecDeque::new();
        move |input, output| {
            input.for_each(|capability, lines| {
                for mut lines in lines.drain(..) {
                    let mut next = Next::default();
                    // Lines stay in order: none overtakes those that wait.
                    if waiting.is_empty() {
                        let (parsed, rest) = parser.parse(&mut lines, next);
                        output.session(&capability).give(parsed);
                        let Some(rest) = rest else { continue };
                        next = rest;
                    }
                    waiting.push_back((capability.retain(0), lines, next));
                }
            });
            let Some((capability, mut lines, next)) = waiting.pop_front() else { return };
            let (parsed, rest) = parser.parse(&mut lines, next);
            output.session(&capability).give(parsed);
            if let Some(rest) = rest {
                waiting.push_front((capability, lines, rest));
            }
            if !waiting.is_empty() {
                activator.activate();
            }
        }
    })
}

/// Where to go on in a batch of lines: at a line, perhaps inside it.
#[derive(Clone, Copy, Default)]
struct Next {
    line: usize,
    item: Option<(Shape, NextItem)>,
}

/// Builders are kept from chunk to chunk, because settings change only between cuts.
#[derive(Default)]
struct Parser {
    builder: Option<(Arc<RowSettings>, RowBuilder)>,
}

impl Parser {
    /// Parses lines from `next` on, and returns where to go on if they held too many records.
    fn parse(&mut self, lines: &mut Lines, next: Next) -> (Parsed, Option<Next>) {
        let settings = &lines.fetched.work.settings;
        let same = |of: &Arc<RowSettings>| Arc::ptr_eq(of, settings) || of == settings;
        let (_, builder) = match self.builder.take().filter(|(of, _)| same(of)) {
            Some(kept) => self.builder.insert(kept),
            None => self.builder.insert((settings.clone(), RowBuilder::of(settings))),
        };
        let mut batch = Batch {
            builder,
            block: &lines.fetched.block,
            keep: settings.raw,
            lines: Vec::with_capacity(lines.lines.len() - next.line),
            elements: Vec::new(),
            rejects: std::mem::take(&mut lines.rejects),
        };
        let rest = batch.take(&lines.lines, next);
        let Batch { builder, lines: of_rows, elements, rejects, .. } = batch;
        let opened = builder.opened();
        let rows = builder.finish(&lines.fetched.work.partition.to_string());
        (Parsed { fetched: lines.fetched.clone(), rows, lines: of_rows, elements, rejects, opened }, rest)
    }
}

/// A batch in the making.
struct Batch<'b> {
    builder: &'b mut RowBuilder,
    block: &'b Block,
    /// At most this much of a reject is kept, in bytes.
    keep: u64,
    /// The line of each row so far, and the rows that are records of envelopes.
    lines: Vec<Line>,
    elements: Vec<Element>,
    rejects: Vec<Reject>,
}

impl Batch<'_> {
    /// Takes lines from `next` on, until there are enough rows; returns where to go on.
    fn take(&mut self, lines: &[Line], mut next: Next) -> Option<Next> {
        // Checking all lines at once is cheaper; if that fails, each line is checked separately. A
        // batch that is continued also checks each line separately, because otherwise every
        // continuation would check the remaining lines again.
        let is_first = next.line == 0 && next.item.is_none();
        let begin = lines.first().map_or(0, |line| line.start);
        let end = lines.last().filter(|_| is_first).map_or(begin, |line| line.end);
        let texts = std::str::from_utf8(&self.block.bytes[begin..end]).ok().filter(|_| is_first);
        while let Some(line) = lines.get(next.line) {
            let item = match next.item.take() {
                Some((shape, item)) => self.items(line, shape, Items::resume(line.text(self.block), item)),
                None => self.line(line, texts, begin),
            };
            if item.is_some() {
                return Some(Next { item, ..next });
            }
            next.line += 1;
            if self.is_full() && next.line < lines.len() {
                return Some(next);
            }
        }
        None
    }

    /// Takes a line; returns where to go on inside it, if it is not finished. `texts` is what lies
    /// from `begin` on, if that is known to be UTF-8.
    fn line(&mut self, line: &Line, texts: Option<&str>, begin: usize) -> Option<(Shape, NextItem)> {
        let block = self.block;
        let Range { start, end } = line.text_range(block);
        let text = match texts.and_then(|texts| texts.get(start - begin..end - begin)) {
            Some(text) => Ok(text),
            None => std::str::from_utf8(line.text(block)).map_err(|_| Reason::InvalidUtf8),
        };
        match text.and_then(|text| self.builder.take(text, line.offset(block))) {
            Ok(Taken::Row) => self.lines.push(*line),
            Ok(Taken::Nothing) => {}
            Ok(Taken::Items(shape, items)) => return self.items(line, shape, items),
            Err(reason) => {
                let reject = Reject::keeping(self.keep, line.raw(block), line.offset(block), reason);
                self.rejects.push(reject.detailed(self.builder.detail()));
            }
        }
        None
    }

    fn items(&mut self, line: &Line, shape: Shape, mut items: Items<'_>) -> Option<(Shape, NextItem)> {
        let (block, offset) = (self.block, line.offset(self.block));
        let text_start = line.text_range(block).start;
        while !self.is_full() {
            let item = items.next()?;
            let (start, number) = (text_start + item.start, item.number);
            let end = start + item.text.len();
            match self.builder.take_item(shape, &item, offset) {
                Ok(()) => {
                    self.elements.push(Element { row: self.lines.len(), number, start, end });
                    self.lines.push(*line);
                }
                Err(reason) => {
                    let reject = Reject::keeping(self.keep, &block.bytes[start..end], offset, reason);
                    self.rejects.push(reject.at_item(number).detailed(self.builder.detail()));
                }
            }
        }
        Some((shape, items.next_item()))
    }

    /// Only envelopes have this many before the last line, because `split` limits the lines of a
    /// batch.
    fn is_full(&self) -> bool {
        self.lines.len() + self.rejects.len() >= BATCH_LINES
    }
}

#[cfg(test)]
mod tests;
