//! What listeners are told of: changes, kept for each listener until it takes them. Whoever is slow misses none; changes of
//! the same thing become one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::time::Instant;

#[cfg(feature = "enterprise")]
use crate::enterprise::Kind;
use crate::features::tasks::TaskView;
use crate::server::lock;

/// So many changes are kept one by one; when there are more, the last of each kind is.
const ONE_BY_ONE: usize = 256;

/// Something a client may want to be told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Tools,
    Prompts,
    Resources,
    Resource(Arc<str>),
    /// There are other records of a kind, for those whose role lists them.
    #[cfg(feature = "enterprise")]
    Records(Kind),
    /// A task has a new status; for its owner only.
    Task(Arc<TaskView>),
}

/// What a change is about.
#[derive(PartialEq, Eq, Hash)]
enum Subject<'a> {
    Tools,
    Prompts,
    Resources,
    Resource(&'a str),
    #[cfg(feature = "enterprise")]
    Records(Kind),
    Task(&'a str),
}

impl Change {
    fn subject(&self) -> Subject<'_> {
        match self {
            Self::Tools => Subject::Tools,
            Self::Prompts => Subject::Prompts,
            Self::Resources => Subject::Resources,
            Self::Resource(uri) => Subject::Resource(uri),
            #[cfg(feature = "enterprise")]
            Self::Records(kind) => Subject::Records(*kind),
            Self::Task(task) => Subject::Task(&task.id),
        }
    }

    /// Whether nobody can ask about the subject any more.
    fn is_stale(&self, now: Instant) -> bool {
        matches!(self, Self::Task(task) if task.expires <= now)
    }
}

/// Whether a listener wants to hear of a change. Called under locks, so it must not announce anything.
type Wants = Box<dyn Fn(&Change) -> bool + Send + Sync>;

/// All listeners of a server.
#[derive(Default)]
pub(crate) struct Changes {
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    next: u64,
    table: HashMap<u64, Arc<Pending>>,
}

/// What one listener has not taken yet.
struct Pending {
    wants: Wants,
    waiting: Mutex<Waiting>,
    added: Notify,
}

struct Waiting {
    changes: VecDeque<Change>,
    /// With so many, those of the same subject become one.
    most: usize,
}

impl Waiting {
    fn add(&mut self, change: Change) {
        self.changes.push_back(change);
        if self.changes.len() > self.most {
            self.merge();
            // Merging costs little for each change when it waits for as many again. There are no more than the subjects
            // that a listener has named, and the tasks of its owner.
            self.most = ONE_BY_ONE.max(2 * self.changes.len());
        }
    }

    /// Keeps the last change of each subject, in their order.
    fn merge(&mut self) {
        let now = Instant::now();
        let mut seen = HashSet::new();
        let is_last: Vec<bool> =
            self.changes.iter().rev().map(|change| seen.insert(change.subject())).collect();
        let mut is_last = is_last.into_iter().rev();
        self.changes.retain(|change| is_last.next() == Some(true) && !change.is_stale(now));
    }
}

impl Changes {
    /// From now on, what `wants` admits is kept for the listener.
    pub(crate) fn listen(
        self: &Arc<Self>,
        wants: impl Fn(&Change) -> bool + Send + Sync + 'static,
    ) -> Listener {
        let waiting = Mutex::new(Waiting { changes: VecDeque::new(), most: ONE_BY_ONE });
        let pending = Arc::new(Pending { wants: Box::new(wants), waiting, added: Notify::new() });
        let mut listeners = lock(&self.listeners);
        listeners.next += 1;
        let number = listeners.next;
        listeners.table.insert(number, Arc::clone(&pending));
        Listener { changes: Arc::clone(self), number, pending }
    }

    /// Tells every listener about a change.
    pub(crate) fn announce(&self, change: &Change) {
        for listener in lock(&self.listeners).table.values() {
            if (listener.wants)(change) {
                lock(&listener.waiting).add(change.clone());
                listener.added.notify_one();
            }
        }
    }

    /// How many listen.
    #[cfg(test)]
    fn listeners(&self) -> usize {
        lock(&self.listeners).table.len()
    }
}

/// The end at which changes come out.
pub(crate) struct Listener {
    changes: Arc<Changes>,
    number: u64,
    pending: Arc<Pending>,
}

impl Listener {
    /// The next change, once there is one. Nothing is lost when this is dropped.
    pub(crate) async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = lock(&self.pending.waiting).changes.pop_front() {
                return change;
            }
            self.pending.added.notified().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Taken out first: what it wants may hold a session, which must not be dropped under the lock.
        let gone = lock(&self.changes.listeners).table.remove(&self.number);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Change, Changes, ONE_BY_ONE};

    fn touched(n: usize) -> Change {
        Change::Resource(format!("note://{n}").into())
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_once_of_everything() {
        let changes = Arc::<Changes>::default();
        let mut listener = changes.listen(|_| true);
        changes.announce(&Change::Tools);
        for n in 0..100_000 {
            changes.announce(&touched(n % 300));
        }
        changes.announce(&Change::Prompts);
        let mut told = Vec::new();
        while told.last() != Some(&Change::Prompts) {
            told.push(listener.next().await);
        }
        assert!(told.len() <= 2 * 302, "{}", told.len());
        assert!(told.contains(&Change::Tools));
        assert!((0..300).all(|n| told.contains(&touched(n))));
    }

    #[tokio::test]
    async fn a_listener_that_keeps_up_is_told_of_every_change() {
        let changes = Arc::<Changes>::default();
        let mut listener = changes.listen(|change| *change != Change::Tools);
        for _ in 0..ONE_BY_ONE {
            changes.announce(&Change::Tools);
            changes.announce(&touched(0));
        }
        for _ in 0..ONE_BY_ONE {
            assert_eq!(listener.next().await, touched(0));
        }
        drop(listener);
        assert_eq!(changes.listeners(), 0);
    }
}
