//! One operator in its own dataflow, fed the same input again and again.

use lakefront_operators::position::Position;
use timely::dataflow::operators::vec::input::{Handle, Input};
use timely::dataflow::{ProbeHandle, StreamVec};
use timely::worker::Worker;

/// A dataflow with `N` inputs. It completes when this value is dropped.
pub(crate) struct Driven<D: Clone + 'static, const N: usize> {
    inputs: [Handle<Position, D>; N],
    probe: ProbeHandle<Position>,
    now: Position,
}

impl<D: Clone + 'static, const N: usize> Driven<D, N> {
    /// `build` gets the inputs and attaches the probe to every output stream.
    pub(crate) fn new(
        worker: &mut Worker,
        build: impl for<'s> FnOnce([StreamVec<'s, Position, D>; N], &ProbeHandle<Position>),
    ) -> Self {
        let (mut inputs, probe) = (std::array::from_fn(|_| Handle::new()), ProbeHandle::new());
        worker.dataflow::<Position, _, _>(|scope| {
            build(inputs.each_mut().map(|input| scope.input_from(input)), &probe);
        });
        Driven { inputs, probe, now: Position(0) }
    }

    /// Sends `records`, a list for each input, as one cut, and steps the worker until all of it is
    /// processed.
    pub(crate) fn run(&mut self, worker: &mut Worker, records: [Vec<D>; N]) {
        self.now.0 += 1;
        for (input, records) in self.inputs.iter_mut().zip(records) {
            records.into_iter().for_each(|record| input.send(record));
            input.advance_to(self.now);
        }
        while self.probe.less_than(&self.now) {
            worker.step_or_park(None);
        }
    }
}
