//! What listeners are told of: changes, kept in one log for all. Whoever is slow misses none; of older changes the last of
//! each thing is kept.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

#[cfg(feature = "enterprise")]
use crate::enterprise::{Kind, RoleName};
use crate::features::tasks::TaskView;

/// So many of the newest changes are kept one by one.
const ONE_BY_ONE: usize = 256;

/// Something a client may want to be told about.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Tools,
    Prompts,
    Resources,
    Resource(Arc<str>),
    /// There are other records of a kind, for those whose role lists them.
    #[cfg(feature = "enterprise")]
    Records(Kind),
    /// A record has changed for these roles.
    #[cfg(feature = "enterprise")]
    Record {
        uri: Arc<str>,
        roles: Arc<[RoleName]>,
    },
    /// A task has a new status; for its owner only.
    Task(Arc<TaskView>),
}

/// What a change is about.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Subject<'a> {
    Tools,
    Prompts,
    Resources,
    Resource(&'a str),
    #[cfg(feature = "enterprise")]
    Records(Kind),
    /// To be the last change for one role is not to be the last for another.
    #[cfg(feature = "enterprise")]
    Record(&'a str, &'a [RoleName]),
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
            #[cfg(feature = "enterprise")]
            Self::Record { uri, roles } => Subject::Record(uri, roles),
            Self::Task(task) => Subject::Task(&task.id),
        }
    }

    /// Whether nobody can ask about the subject any more.
    fn is_stale(&self) -> bool {
        matches!(self, Self::Task(task) if task.gone.load(Ordering::Relaxed))
    }
}

/// Whether a listener wants to hear of a change, which has this number. Called under the lock of the log.
type Wants = Box<dyn Fn(&Change, u64) -> bool + Send + Sync>;

/// The changes of a server. To announce one costs the same however many listen: they are woken once, and look for what is
/// new to them when it is their turn.
#[derive(Default)]
pub(crate) struct Changes {
    log: watch::Sender<Log>,
}

/// What was announced, each with its number, oldest first.
#[derive(Default)]
struct Log {
    last: u64,
    changes: VecDeque<(u64, Change)>,
    /// So many are kept of a time before the newest ones.
    older: usize,
}

impl Log {
    fn add(&mut self, change: &Change) {
        self.last += 1;
        self.changes.push_back((self.last, change.clone()));
        // Merging costs little for each change when it waits for as many again.
        if self.changes.len() > 2 * (ONE_BY_ONE + self.older) {
            self.merge();
        }
    }

    /// Keeps the last change of each subject, and the newest ones as they are.
    fn merge(&mut self) {
        let mut seen = HashSet::new();
        let newest_first = self.changes.iter().rev().enumerate();
        let is_kept: Vec<bool> = newest_first
            .map(|(age, (_, change))| {
                let is_last = seen.insert(change.subject());
                (is_last || age < ONE_BY_ONE) && !change.is_stale()
            })
            .collect();
        let mut is_kept = is_kept.into_iter().rev();
        self.changes.retain(|_| is_kept.next() == Some(true));
        self.older = self.changes.len().saturating_sub(ONE_BY_ONE);
    }

    /// The first change after the one of this number that is wanted, with its own number.
    fn after(&self, heard: u64, wants: &Wants) -> Option<(u64, Change)> {
        let start = self.changes.partition_point(|(number, _)| *number <= heard);
        self.changes.range(start..).find(|(number, change)| wants(change, *number)).cloned()
    }
}

impl Changes {
    /// The changes from now on that `wants` admits.
    pub(crate) fn listen(&self, wants: impl Fn(&Change, u64) -> bool + Send + Sync + 'static) -> Listener {
        let log = self.log.subscribe();
        let heard = log.borrow().last;
        Listener { log, heard, wants: Box::new(wants) }
    }

    /// Tells whoever listens.
    pub(crate) fn announce(&self, change: &Change) {
        self.log.send_modify(|log| log.add(change));
    }

    /// The number of the last change.
    pub(crate) fn last(&self) -> u64 {
        self.log.borrow().last
    }
}

/// The end at which changes come out. One that waits for nobody costs nothing.
pub(crate) struct Listener {
    log: watch::Receiver<Log>,
    /// The number of the last change that it has seen.
    heard: u64,
    wants: Wants,
}

impl Listener {
    /// The next change, once there is one. Nothing is lost when this is dropped.
    pub(crate) async fn next(&mut self) -> Change {
        loop {
            {
                let log = self.log.borrow_and_update();
                let next = log.after(self.heard, &self.wants);
                self.heard = next.as_ref().map_or(log.last, |(number, _)| *number);
                if let Some((_, change)) = next {
                    return change;
                }
            }
            if self.log.changed().await.is_err() {
                // The server is gone, and nothing will change any more.
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Change, Changes, ONE_BY_ONE, Subject};

    fn touched(n: usize) -> Change {
        Change::Resource(format!("note://{n}").into())
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_of_everything_and_the_log_stays_short() {
        let changes = Changes::default();
        let mut listener = changes.listen(|_, _| true);
        changes.announce(&Change::Tools);
        for n in 0..100_000 {
            changes.announce(&touched(n % 300));
        }
        changes.announce(&Change::Prompts);
        let mut told = Vec::new();
        while !matches!(told.last(), Some(Change::Prompts)) {
            told.push(listener.next().await);
        }
        let told: HashSet<_> = told.iter().map(Change::subject).collect();
        assert!(told.contains(&Subject::Tools));
        assert!((0..300).all(|n| told.contains(&touched(n).subject())));
        assert!(changes.log.borrow().changes.len() <= 2 * (302 + ONE_BY_ONE));
    }

    #[tokio::test]
    async fn a_listener_that_keeps_up_is_told_of_every_change() {
        let changes = Changes::default();
        let mut listener = changes.listen(|change, _| !matches!(change, Change::Tools));
        for round in 0..10 {
            for n in 0..ONE_BY_ONE / 2 {
                changes.announce(&Change::Tools);
                changes.announce(&touched(n % (round + 1)));
            }
            for n in 0..ONE_BY_ONE / 2 {
                assert_eq!(listener.next().await.subject(), touched(n % (round + 1)).subject());
            }
        }
        changes.announce(&Change::Prompts);
        assert_eq!(listener.next().await.subject(), Subject::Prompts);
        assert_eq!(changes.last(), 10 * ONE_BY_ONE as u64 + 1);
    }

    #[tokio::test]
    async fn who_listens_hears_nothing_from_before() {
        let changes = Changes::default();
        changes.announce(&Change::Tools);
        let mut listener = changes.listen(|_, _| true);
        changes.announce(&Change::Prompts);
        assert_eq!(listener.next().await.subject(), Subject::Prompts);
    }

    #[test]
    fn to_announce_costs_nothing_for_those_who_wait_for_nothing() {
        let changes = Changes::default();
        let asked = Arc::<AtomicUsize>::default();
        let listeners: Vec<_> = (0..1000)
            .map(|_| {
                let asked = Arc::clone(&asked);
                changes.listen(move |_, _| asked.fetch_add(1, Ordering::Relaxed) > 0)
            })
            .collect();
        (0..1000).for_each(|n| changes.announce(&touched(n % 2)));
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        drop(listeners);
    }
}
