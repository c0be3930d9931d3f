//! Taking in HTTP connections: however many are idle, a newcomer is served.
//!
//! A connection costs little until its first byte comes. When there is no room, or no descriptor for somebody who waits,
//! the connection that has been idle for longest is closed. When all are busy, newcomers wait with the operating system,
//! and of those let in without a byte sent the first may have to make room for the next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::server::lock;

/// In place of a time: a request is being served.
const BUSY: u64 = u64::MAX;
/// How long to wait when the operating system has no connection to give, and nobody can make room.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);
/// A client that has taken nothing of its answer for so long may be cut off when memory is scarce.
const READS: Duration = Duration::from_secs(1);

/// The connections of one server.
pub(crate) struct Connections {
    most: usize,
    table: Mutex<HashMap<u64, Arc<Activity>>>,
    /// Counts what happens, so that it can be told what happened first.
    clock: AtomicU64,
    started: Instant,
    /// Somebody has become idle, or has gone.
    freed: Notify,
}

/// When a connection was last in use.
struct Activity {
    idle_since: AtomicU64,
    /// Milliseconds after which a piece of an answer was given out that the client has not taken yet; 0 when there is none.
    unread_since: AtomicU64,
    must_go: Notify,
}

impl Connections {
    /// Room for at least one connection.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            table: Mutex::default(),
            clock: AtomicU64::new(0),
            started: Instant::now(),
            freed: Notify::new(),
        })
    }

    /// The next connection, once there is room for it or somebody can make room. It may be dropped while it waits.
    pub(crate) async fn accept(self: &Arc<Self>, listener: &TcpListener) -> (TcpStream, Place) {
        loop {
            self.room().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    if self.is_full() {
                        // Whoever was idle may have become busy; then there is one more for a while.
                        self.close_idlest();
                    }
                    return (stream, self.enter());
                }
                // Out of descriptors, most likely. Whether somebody waits for one is not said.
                Err(_) if somebody_waits(listener) && self.close_idlest() => tokio::task::yield_now().await,
                Err(_) => tokio::time::sleep(OUT_OF_DESCRIPTORS).await,
            }
        }
    }

    async fn room(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if !self.is_full() || lock(&self.table).values().any(|activity| activity.is_idle()) {
                return;
            }
            freed.await;
        }
    }

    fn is_full(&self) -> bool {
        lock(&self.table).len() >= self.most
    }

    fn enter(self: &Arc<Self>) -> Place {
        let number = self.tick();
        let activity = Arc::new(Activity {
            idle_since: AtomicU64::new(number),
            unread_since: AtomicU64::new(0),
            must_go: Notify::new(),
        });
        lock(&self.table).insert(number, Arc::clone(&activity));
        Place { connections: Arc::clone(self), number, activity }
    }

    /// Asks the connection that has been idle for longest to go; false if all are busy.
    fn close_idlest(&self) -> bool {
        let mut table = lock(&self.table);
        let idle = table.iter().filter(|(_, activity)| activity.is_idle());
        let since = |activity: &Activity| activity.idle_since.load(Ordering::Relaxed);
        let idlest = idle.min_by_key(|(_, activity)| since(activity)).map(|(number, _)| *number);
        let gone = idlest.and_then(|number| table.remove(&number));
        gone.is_some_and(|activity| {
            activity.must_go.notify_one();
            true
        })
    }

    /// Asks the connection whose client has not read for longest to go; false if all have read of late.
    pub(crate) fn cut_off_unread(&self) -> bool {
        let long_ago = self.milliseconds().saturating_sub(READS.as_millis() as u64);
        let mut table = lock(&self.table);
        let since = |activity: &Activity| activity.unread_since.load(Ordering::Relaxed);
        let stuck = table.iter().filter(|(_, activity)| (1..long_ago).contains(&since(activity)));
        let longest = stuck.min_by_key(|(_, activity)| since(activity)).map(|(number, _)| *number);
        let gone = longest.and_then(|number| table.remove(&number));
        gone.is_some_and(|activity| {
            activity.must_go.notify_one();
            true
        })
    }

    /// Asks all to go.
    pub(crate) fn close_all(&self) {
        lock(&self.table).values().for_each(|activity| activity.must_go.notify_one());
    }

    /// Since the beginning, which was at 1.
    fn milliseconds(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 + 1
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}

/// Whether there is a connection to accept.
#[cfg(unix)]
fn somebody_waits(listener: &TcpListener) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Nobody can say here.
#[cfg(not(unix))]
fn somebody_waits(_: &TcpListener) -> bool {
    true
}

impl Activity {
    fn is_idle(&self) -> bool {
        self.idle_since.load(Ordering::Relaxed) != BUSY
    }
}

/// The place of one connection among the others, for as long as it lives.
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    activity: Arc<Activity>,
}

impl Place {
    /// Ends when somebody else needs the place, or all have to go.
    pub(crate) async fn is_needed(&self) {
        self.activity.must_go.notified().await;
    }

    /// From now on the connection is in use.
    pub(crate) fn busy(&self) -> Busy {
        self.activity.idle_since.store(BUSY, Ordering::Relaxed);
        Busy { connections: Arc::clone(&self.connections), activity: Arc::clone(&self.activity) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.connections.table).remove(&self.number);
        self.connections.freed.notify_waiters();
    }
}

/// A connection is in use until this is dropped.
pub(crate) struct Busy {
    connections: Arc<Connections>,
    activity: Arc<Activity>,
}

impl Busy {
    /// A piece of the answer is on its way to the client.
    pub(crate) fn gives_out(&self) {
        self.activity.unread_since.store(self.connections.milliseconds(), Ordering::Relaxed);
    }

    /// The client has taken everything.
    pub(crate) fn is_read(&self) {
        self.activity.unread_since.store(0, Ordering::Relaxed);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.is_read();
        self.activity.idle_since.store(self.connections.tick(), Ordering::Relaxed);
        self.connections.freed.notify_waiters();
    }
}
