//! All tasks of the server, by owner: nobody sees, counts or ends the tasks of another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{sleep, timeout_at};

use crate::changes::Changes;
use crate::faults::Duty;
use crate::features::tasks::task::{Task, Terms};
use crate::legacy::Session;
use crate::message::{INTERNAL_ERROR, Object, RpcError};
use crate::server::lock;

/// The work waits for this long, so that the answer that names the task is out before anything else about it.
const HEAD_START: Duration = Duration::from_millis(2);

/// Whom a task belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// Legacy: a session, by its number.
    Session(u64),
    /// Modern: on whose behalf a request is made.
    Principal(String),
}

impl Owner {
    /// Whom the tasks that are begun in a session belong to.
    pub(crate) fn of(session: &Session) -> Self {
        if session.server.keeps(Duty::TaskBound) {
            Self::Session(session.id)
        } else {
            Self::Principal(String::new())
        }
    }
}

/// The tasks.
pub(crate) struct TaskStore {
    held: Mutex<Held>,
    limit: usize,
    limit_per_owner: usize,
    changes: Arc<Changes>,
}

#[derive(Default)]
struct Held {
    owners: HashMap<Owner, HashMap<String, Arc<Task>>>,
    count: usize,
    next: u32,
}

impl TaskStore {
    /// A store with room for `limit` tasks, `limit_per_owner` of each owner; `changes` hears of every new status.
    pub(crate) fn new(limit: usize, limit_per_owner: usize, changes: Arc<Changes>) -> Arc<Self> {
        Arc::new(Self { held: Mutex::default(), limit, limit_per_owner, changes })
    }

    /// Begins a task, which does `work` and is then kept until its time is over.
    pub(crate) fn begin<Work>(
        self: &Arc<Self>,
        terms: Terms,
        work: impl FnOnce(Arc<Task>) -> Work,
    ) -> Result<Arc<Task>, RpcError>
    where
        Work: Future<Output = Result<Object, RpcError>> + Send + 'static,
    {
        let mut held = lock(&self.held);
        let owned = held.owners.get(&terms.owner).map_or(0, HashMap::len);
        if held.count >= self.limit || owned >= self.limit_per_owner {
            return Err(RpcError::new(INTERNAL_ERROR, "Too many tasks, try again later"));
        }
        held.next = held.next.wrapping_add(1);
        held.count += 1;
        let task = Arc::new(Task::new(held.next, terms, Arc::clone(&self.changes)));
        let owned = held.owners.entry(task.owner().clone()).or_default();
        owned.insert(task.id.clone(), Arc::clone(&task));
        // A runtime that is about to end drops what is spawned, and with it the task is forgotten.
        drop(held);
        let kept = Kept { store: Arc::clone(self), task: Arc::clone(&task) };
        tokio::spawn(keep(kept, work(Arc::clone(&task))));
        Ok(task)
    }

    /// A task of this owner.
    pub(crate) fn find(&self, owner: &Owner, id: &str) -> Option<Arc<Task>> {
        lock(&self.held).owners.get(owner)?.get(id).cloned()
    }

    /// The tasks of an owner, oldest first.
    pub(crate) fn of(&self, owner: &Owner) -> Vec<Arc<Task>> {
        let owned = |held: &Held| held.owners.get(owner).map(|owned| owned.values().cloned().collect());
        let mut tasks: Vec<Arc<Task>> = owned(&lock(&self.held)).unwrap_or_default();
        tasks.sort_unstable_by_key(|task| task.number);
        tasks
    }

    /// Ends everything that an owner has.
    pub(crate) fn end(&self, owner: &Owner) {
        let mut held = lock(&self.held);
        let owned = held.owners.remove(owner).unwrap_or_default();
        held.count -= owned.len();
        drop(held);
        owned.values().for_each(|task| task.leave());
    }

    /// Ends everything.
    pub(crate) fn end_all(&self) {
        let mut held = lock(&self.held);
        let owners = std::mem::take(&mut held.owners);
        held.count = 0;
        drop(held);
        owners.values().flat_map(HashMap::values).for_each(|task| task.leave());
    }

    fn forget(&self, task: &Task) {
        let mut held = lock(&self.held);
        let Some(owned) = held.owners.get_mut(task.owner()) else {
            return;
        };
        let found = owned.remove(&task.id).is_some();
        if owned.is_empty() {
            held.owners.remove(task.owner());
        }
        held.count -= usize::from(found);
    }
}

/// A task in the store. Dropped when its time is over, and also when its tool panics or the runtime ends.
struct Kept {
    store: Arc<TaskStore>,
    task: Arc<Task>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.store.forget(&self.task);
        self.task.leave();
    }
}

/// Does the work of a task unless it is cancelled, and keeps the task until its time is over or its owner gone.
async fn keep(kept: Kept, work: impl Future<Output = Result<Object, RpcError>>) {
    let task = &kept.task;
    let working = async {
        sleep(HEAD_START).await;
        task.finish(work.await);
    };
    let until_over = async {
        tokio::select! {
            biased;
            () = task.over() => {}
            () = working => {}
        }
    };
    let _ = timeout_at(task.expires(), until_over).await;
    let _ = timeout_at(task.expires(), task.gone()).await;
}

#[cfg(test)]
mod tests {
    use super::{Owner, TaskStore};
    use crate::features::tasks::outlet::Outlet;
    use crate::features::tasks::state::Status;
    use crate::features::tasks::task::{Task, Terms};
    use crate::message::Object;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    fn store(limit: usize, limit_per_owner: usize) -> Arc<TaskStore> {
        TaskStore::new(limit, limit_per_owner, Arc::default())
    }

    fn terms(owner: u64) -> Terms {
        Terms {
            id: crate::seal::random_id(),
            owner: Owner::Session(owner),
            ttl: Duration::from_secs(10),
            tool_errors_fail: true,
            outlet: Outlet::default(),
        }
    }

    /// Work that never ends, and whether it still goes on.
    fn endless() -> (impl Future<Output = Result<Object, crate::message::RpcError>>, Arc<AtomicBool>) {
        struct Dropped(Arc<AtomicBool>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.store(false, Ordering::SeqCst);
            }
        }
        let going = Arc::new(AtomicBool::new(true));
        let dropped = Dropped(Arc::clone(&going));
        let work = async move {
            let _dropped = dropped;
            std::future::pending().await
        };
        (work, going)
    }

    #[tokio::test]
    async fn both_limits_hold_and_room_comes_back() {
        let store = store(3, 2);
        let begin = |owner| store.begin(terms(owner), |_| std::future::ready(Ok(Object::new())));
        begin(1).unwrap();
        begin(1).unwrap();
        assert!(begin(1).is_err(), "two for each owner");
        begin(2).unwrap();
        assert!(begin(3).is_err(), "three in all");
        store.end(&Owner::Session(1));
        begin(3).unwrap();
        begin(3).unwrap();
        assert!(begin(2).is_err());
    }

    #[tokio::test]
    async fn owners_do_not_see_each_other() {
        let store = store(10, 10);
        let task = store.begin(terms(1), |_| std::future::pending()).unwrap();
        assert!(store.find(&Owner::Session(1), &task.id).is_some());
        assert!(store.find(&Owner::Session(2), &task.id).is_none());
        assert!(store.find(&Owner::Principal("1".to_owned()), &task.id).is_none());
        assert!(store.of(&Owner::Session(2)).is_empty());
        store.end(&Owner::Session(2));
        assert_eq!(store.of(&Owner::Session(1)).len(), 1);
    }

    /// A store whose tasks live for `ttl` milliseconds, and one endless task of owner 1.
    fn with_endless(ttl: u64) -> (Arc<TaskStore>, Arc<Task>, Arc<AtomicBool>) {
        let store = store(10, 10);
        let (work, going) = endless();
        let terms = Terms { ttl: Duration::from_millis(ttl), ..terms(1) };
        let task = store.begin(terms, |_| work).unwrap();
        (store, task, going)
    }

    async fn within_seconds(condition: impl Fn() -> bool) -> bool {
        for _ in 0..500 {
            if condition() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    #[tokio::test]
    async fn cancellation_stops_the_work_and_time_removes_the_task() {
        let (store, task, going) = with_endless(400);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(going.load(Ordering::SeqCst));
        assert!(task.cancel());
        assert!(!task.cancel());
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!going.load(Ordering::SeqCst), "the work has stopped");
        assert!(store.find(&Owner::Session(1), &task.id).is_some(), "the task is still there");
        assert!(within_seconds(|| store.find(&Owner::Session(1), &task.id).is_none()).await);
        assert_eq!(task.view().status, Status::Cancelled);
        assert_eq!(super::lock(&store.held).count, 0);
    }

    #[tokio::test]
    async fn work_ends_with_its_time_its_owner_or_its_server() {
        type End = fn(&TaskStore);
        let ends: [(u64, End); 3] =
            [(30, |_| {}), (100_000, |store| store.end(&Owner::Session(1))), (100_000, TaskStore::end_all)];
        for (ttl, end) in ends {
            let (store, task, going) = with_endless(ttl);
            end(&store);
            tokio::time::timeout(Duration::from_secs(5), task.over()).await.unwrap();
            assert!(within_seconds(|| !going.load(Ordering::SeqCst)).await);
            assert!(store.of(&Owner::Session(1)).is_empty());
            assert_eq!(super::lock(&store.held).count, 0);
        }
    }

    #[tokio::test]
    async fn a_tool_that_panics_leaves_nothing() {
        let store = store(10, 10);
        let task = store.begin(terms(1), |_| async { panic!("on purpose") }).unwrap();
        tokio::time::timeout(Duration::from_secs(5), task.over()).await.unwrap();
        assert!(store.of(&Owner::Session(1)).is_empty());
        assert_eq!(super::lock(&store.held).count, 0);
    }
}
