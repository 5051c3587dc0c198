//! A table whose store follows a script: it loses replies, dies, answers late, or lets something
//! else happen first.

use std::sync::{Arc, Mutex};

use lakefront_operators::error::StoreError;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::group::{Commit, CommitFacts, Created, Group, GroupState, Verdict};
use lakefront_operators::protocol::names::{OffsetsName, Version};
use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};

/// A call to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Load,
    Put,
    Read,
    WriteOffsets,
    ReadOffsets,
    Others,
}

/// What happens to a call.
pub(crate) enum Fault {
    /// It has no effect, and the caller does not learn that.
    Lost,
    /// It takes effect, and the caller does not learn that.
    ReplyLost,
    /// It has no effect, and the run dies.
    Crash,
    /// It takes effect, and the run dies.
    CrashAfter,
    /// A write that takes effect when the story says so, and the caller does not learn that.
    Late,
    /// Something else happens first.
    First(Box<dyn FnOnce() -> Pending<'static, ()> + Send>),
}

impl Fault {
    /// The same fault once more. [`Fault::First`] cannot be repeated.
    pub(crate) fn again(&self) -> Fault {
        match self {
            Fault::Lost => Fault::Lost,
            Fault::ReplyLost => Fault::ReplyLost,
            Fault::Crash => Fault::Crash,
            Fault::CrashAfter => Fault::CrashAfter,
            Fault::Late => Fault::Late,
            Fault::First(_) => panic!("a happening cannot be repeated"),
        }
    }
}

/// What goes wrong with a table. Each fault hits the next call of its kind.
#[derive(Default)]
pub(crate) struct Script {
    faults: Mutex<Vec<(Call, Fault)>>,
    late: Mutex<Vec<Pending<'static, ()>>>,
}

impl Script {
    /// Adds a fault.
    pub(crate) fn on(&self, call: Call, fault: Fault) {
        self.faults.lock().unwrap().push((call, fault));
    }

    /// Before the next `call`, `happening` takes place.
    pub(crate) fn first(&self, call: Call, happening: impl Future<Output = ()> + Send + 'static) {
        self.on(call, Fault::First(Box::new(move || Box::pin(happening))));
    }

    /// Whether every fault has happened.
    pub(crate) fn is_played(&self) -> bool {
        self.faults.lock().unwrap().is_empty()
    }

    /// Delivers the late writes.
    pub(crate) async fn deliver(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        assert!(!late.is_empty(), "nothing was late");
        for write in late {
            write.await;
        }
    }

    fn next(&self, call: Call) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let place = faults.iter().position(|(of, _)| *of == call)?;
        Some(faults.remove(place).1)
    }

    /// Plays `act`, which does nothing until it is awaited. `late` is the same act, to be played
    /// later.
    async fn play<T: Send>(
        &self,
        call: Call,
        act: Pending<'_, Result<T, StoreError>>,
        late: impl FnOnce() -> Pending<'static, ()> + Send,
    ) -> Result<T, StoreError> {
        loop {
            let unknown = || Err(StoreError::transient(format!("{call:?}"), "the reply was lost"));
            let dead = || Err(StoreError::definite(format!("{call:?}"), "the run died"));
            match self.next(call) {
                None => return act.await,
                Some(Fault::First(happening)) => happening().await,
                Some(Fault::Lost) => return unknown(),
                Some(Fault::ReplyLost) => return act.await.and_then(|_| unknown()),
                Some(Fault::Crash) => return dead(),
                Some(Fault::CrashAfter) => return act.await.and_then(|_| dead()),
                Some(Fault::Late) => {
                    self.late.lock().unwrap().push(late());
                    return unknown();
                }
            }
        }
    }
}

fn never() -> Pending<'static, ()> {
    panic!("only writes can be late")
}

/// A table with a script.
pub(crate) struct Faulty {
    pub(crate) table: Arc<dyn Group>,
    pub(crate) script: Arc<Script>,
}

impl Group for Faulty {
    fn load(&self) -> Pending<'_, Result<GroupState, StoreError>> {
        Box::pin(self.script.play(Call::Load, self.table.load(), never))
    }

    fn put<'a>(&'a self, version: Version, commit: &'a Commit) -> Pending<'a, Result<Created, StoreError>> {
        let late = move || -> Pending<'static, ()> {
            let (table, commit) = (self.table.clone(), commit.clone());
            Box::pin(async move { drop(table.put(version, &commit).await) })
        };
        Box::pin(self.script.play(Call::Put, self.table.put(version, commit), late))
    }

    fn read(&self, version: Version) -> Pending<'_, Result<Option<CommitFacts>, StoreError>> {
        Box::pin(self.script.play(Call::Read, self.table.read(version), never))
    }

    fn recheck<'a>(&'a self, commit: Option<&'a Commit>) -> Pending<'a, Result<Verdict, StoreError>> {
        self.table.recheck(commit)
    }

    fn discard<'a>(&'a self, commit: &'a Commit) -> Pending<'a, ()> {
        self.table.discard(commit)
    }

    fn rows(&self) -> Pending<'_, Result<u64, StoreError>> {
        self.table.rows()
    }
}

impl OffsetsStore for Faulty {
    fn name(&self) -> &str {
        self.table.name()
    }

    fn shown(&self) -> String {
        self.table.shown()
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        let late = move || -> Pending<'static, ()> {
            let (table, content) = (self.table.clone(), content.to_vec());
            Box::pin(async move { drop(table.write_offsets(name, &content).await) })
        };
        Box::pin(self.script.play(Call::WriteOffsets, self.table.write_offsets(name, content), late))
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.script.play(Call::ReadOffsets, self.table.read_offsets(name), never))
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        self.table.list_offsets()
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        Box::pin(self.script.play(Call::Others, self.table.others(), never))
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        self.table.delete_offsets(name)
    }
}
