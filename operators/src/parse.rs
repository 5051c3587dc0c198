//! `parse`: turns lines into typed columns, some thousand lines at a time.
//!
//! A line that is not what it should be becomes a [`Reject`], never a null. The rules are in [`rows`](crate::rows).
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use crate::fetch::Fetched;
use crate::position::Position;
use crate::record::Reject;
use crate::rows::RowBuilder;
use crate::settings::RowSettings;
use crate::split::{Line, Lines};

/// The rows of one batch of lines.
#[derive(Clone)]
pub struct Parsed {
    /// Where they come from.
    pub fetched: Fetched,
    /// The rows.
    pub rows: RecordBatch,
    /// The line of each row.
    pub lines: Vec<Line>,
    /// The lines that are no rows.
    pub rejects: Vec<Reject>,
}

/// Parses lines into rows.
pub fn parse<'s>(lines: StreamVec<'s, Position, Lines>) -> StreamVec<'s, Position, Parsed> {
    lines.unary::<CapacityContainerBuilder<Vec<Parsed>>, _, _, _>(Pipeline, "parse", |_, _| {
        let mut parser = Parser::default();
        move |input, output| {
            input.for_each(|capability, lines| {
                let mut session = output.session(&capability);
                lines.drain(..).for_each(|lines| session.give(parser.parse(lines)));
            });
        }
    })
}

/// Builders are kept from chunk to chunk; settings change between cuts at most.
#[derive(Default)]
struct Parser {
    builder: Option<(Arc<RowSettings>, RowBuilder)>,
}

impl Parser {
    fn parse(&mut self, Lines { fetched, mut lines, mut rejects }: Lines) -> Parsed {
        let settings = &fetched.chunk.settings;
        let same = |of: &Arc<RowSettings>| Arc::ptr_eq(of, settings) || of == settings;
        let (_, builder) = match self.builder.take().filter(|(of, _)| same(of)) {
            Some(kept) => self.builder.insert(kept),
            None => self.builder.insert((settings.clone(), RowBuilder::of(settings))),
        };
        let block = &fetched.block;
        // Checking all lines at once is cheaper; if that fails, each is judged for itself.
        let begin = lines.first().map_or(0, |line| line.start);
        let end = lines.last().map_or(begin, |line| line.end);
        let texts = std::str::from_utf8(&block.bytes[begin..end]).ok();
        let text = |line: &Line| {
            let Range { start, end } = line.text_range(block);
            texts?.get(start - begin..end - begin)
        };
        let mut push = |line: &Line| match text(line) {
            Some(text) => builder.push_text(text, line.offset(block)).map_err(|reason| (reason, builder.detail())),
            None => builder.push(line.text(block), line.offset(block)).map_err(|reason| (reason, builder.detail())),
        };
        lines.retain(|line| match push(line) {
            Ok(()) => true,
            Err((reason, detail)) => {
                rejects
                    .push(Reject::keeping(settings.raw, line.raw(block), line.offset(block), reason).detailed(detail));
                false
            }
        });
        let rows = builder.finish(&fetched.chunk.partition.to_string());
        Parsed { fetched, rows, lines, rejects }
    }
}
