//! Messages on their way to a client, bounded by their bytes: who sends waits while the client does not read. What waits
//! is also counted in the memory for all clients.

use std::sync::Arc;
use std::task::{Context, Poll};

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::memory::{Answered, Memory};
use crate::server::Server;

/// Bytes that wait for one client; a longer message waits alone.
const BYTES: u32 = 1 << 20;
/// What a message costs besides its bytes.
const OVERHEAD: usize = 64;

/// A message and the room that it takes.
struct Waiting {
    message: Answered,
    _room: OwnedSemaphorePermit,
}

/// A queue with nothing in it.
pub(crate) fn queue(server: &Server) -> (Outgoing, Queue) {
    let (sender, receiver) = unbounded_channel();
    let room = Arc::new(Semaphore::new(BYTES as usize));
    let (memory, patience) = (Arc::clone(server.memory()), server.config().read_timeout);
    (Outgoing { sender, room: Arc::clone(&room), memory, patience }, Queue { receiver, room })
}

/// The end at which messages go in.
#[derive(Clone)]
pub(crate) struct Outgoing {
    sender: UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    memory: Arc<Memory>,
    /// How long a message waits for room in the memory of all.
    patience: Duration,
}

impl Outgoing {
    /// Adds a message when there is room. For a client that is gone, it is lost; so it is when all clients together leave
    /// no room for too long.
    pub(crate) async fn send(&self, text: String) {
        if let Some(held) = self.memory.wait(text.len() + OVERHEAD, self.patience).await {
            self.answer(Answered { text, held }).await;
        }
    }

    /// Adds an answer, whose memory is counted already, when there is room.
    pub(crate) async fn answer(&self, message: Answered) {
        if let Ok(room) = Arc::clone(&self.room).acquire_many_owned(cost(&message.text)).await {
            let _ = self.sender.send(Waiting { message, _room: room });
        }
    }

    /// Adds a message at once; where there is no room, it is lost.
    pub(crate) fn send_now(&self, text: String) {
        if let Some(held) = self.memory.take(text.len() + OVERHEAD) {
            let _ = self.try_answer(Answered { text, held });
        }
    }

    /// Adds an answer at once; where there is no room, it is handed back.
    pub(crate) fn try_answer(&self, message: Answered) -> Result<(), Answered> {
        match Arc::clone(&self.room).try_acquire_many_owned(cost(&message.text)) {
            Ok(room) => {
                let _ = self.sender.send(Waiting { message, _room: room });
                Ok(())
            }
            Err(_) => Err(message),
        }
    }

    /// Ends when nobody will read any more.
    pub(crate) async fn closed(&self) {
        self.sender.closed().await;
    }
}

fn cost(message: &str) -> u32 {
    u32::try_from(message.len() + OVERHEAD).map_or(BYTES, |cost| cost.min(BYTES))
}

/// The end at which messages come out.
pub(crate) struct Queue {
    receiver: UnboundedReceiver<Waiting>,
    room: Arc<Semaphore>,
}

impl Queue {
    /// The next message; none when nobody can send any more.
    pub(crate) async fn recv(&mut self) -> Option<Answered> {
        self.receiver.recv().await.map(|waiting| waiting.message)
    }

    pub(crate) fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Answered>> {
        self.receiver.poll_recv(context).map(|waiting| waiting.map(|waiting| waiting.message))
    }

    /// The next message, if there is one.
    pub(crate) fn try_recv(&mut self) -> Option<Answered> {
        self.receiver.try_recv().ok().map(|waiting| waiting.message)
    }

    /// Lets nothing in any more.
    pub(crate) fn close(&mut self) {
        self.receiver.close();
        self.room.close();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES, queue};
    use crate::memory::Answered;
    use crate::server::{Config, Server};

    fn answer(length: usize) -> Answered {
        Answered::short("x".repeat(length))
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_holds_up_to_the_limit() {
        let (outgoing, mut waiting) = queue(&Server::new(Config::default()));
        let mut taken = 0;
        while outgoing.try_answer(answer(100_000)).is_ok() {
            taken += 100_000;
        }
        assert!((900_000..=BYTES as usize).contains(&taken), "{taken}");
        assert_eq!(waiting.recv().await.map(|message| message.text.len()), Some(100_000));
        assert!(outgoing.try_answer(answer(100_000)).is_ok(), "what is read makes room");
    }

    #[tokio::test]
    async fn a_message_longer_than_the_limit_waits_alone() {
        let (outgoing, mut waiting) = queue(&Server::new(Config::default()));
        assert!(outgoing.try_answer(answer(3 * BYTES as usize)).is_ok());
        assert!(outgoing.try_answer(answer(1)).is_err());
        assert_eq!(waiting.recv().await.map(|message| message.text.len()), Some(3 * BYTES as usize));
        assert!(outgoing.try_answer(answer(1)).is_ok());
    }

    #[tokio::test]
    async fn what_waits_for_any_client_is_counted_until_it_is_read() {
        let server = Server::new(Config { max_bytes_in_flight: 1 << 20, ..Config::default() });
        let queues: Vec<_> = (0..4).map(|_| queue(&server)).collect();
        for (outgoing, _) in &queues {
            outgoing.send_now("x".repeat(300_000));
        }
        let used = server.memory().used();
        assert!((600_000..800_000).contains(&used), "{used}: only two found room");
        drop(queues);
        assert_eq!(server.memory().used(), 0);
    }

    #[tokio::test]
    async fn who_waits_for_a_client_that_goes_is_let_go() {
        let (outgoing, waiting) = queue(&Server::new(Config::default()));
        assert!(outgoing.try_answer(answer(BYTES as usize)).is_ok());
        let sending = tokio::spawn(async move { outgoing.send("y".to_owned()).await });
        tokio::task::yield_now().await;
        drop(waiting);
        tokio::time::timeout(std::time::Duration::from_secs(5), sending).await.unwrap().unwrap();
    }
}
