//! Messages on their way to a client, bounded by their bytes: who sends waits while the client does not read.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that wait for one client; a longer message waits alone.
const BYTES: u32 = 1 << 20;
/// What a message costs besides its bytes.
const OVERHEAD: usize = 64;

/// A message and the room that it takes.
struct Waiting {
    message: String,
    _room: OwnedSemaphorePermit,
}

/// A queue with nothing in it.
pub(crate) fn queue() -> (Outgoing, Queue) {
    let (sender, receiver) = unbounded_channel();
    let room = Arc::new(Semaphore::new(BYTES as usize));
    (Outgoing { sender, room: Arc::clone(&room) }, Queue { receiver, room })
}

/// The end at which messages go in.
#[derive(Clone)]
pub(crate) struct Outgoing {
    sender: UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
}

impl Outgoing {
    /// Adds a message when there is room. For a client that is gone, it is lost.
    pub(crate) async fn send(&self, message: String) {
        if let Ok(room) = Arc::clone(&self.room).acquire_many_owned(cost(&message)).await {
            let _ = self.sender.send(Waiting { message, _room: room });
        }
    }

    /// Adds a message at once; where there is no room, it is handed back.
    pub(crate) fn try_send(&self, message: String) -> Result<(), String> {
        match Arc::clone(&self.room).try_acquire_many_owned(cost(&message)) {
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
    pub(crate) async fn recv(&mut self) -> Option<String> {
        self.receiver.recv().await.map(|waiting| waiting.message)
    }

    pub(crate) fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        self.receiver.poll_recv(context).map(|waiting| waiting.map(|waiting| waiting.message))
    }

    /// The next message, if there is one.
    pub(crate) fn try_recv(&mut self) -> Option<String> {
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

    #[tokio::test]
    async fn a_client_that_does_not_read_holds_up_to_the_limit() {
        let (outgoing, mut waiting) = queue();
        let message = "x".repeat(100_000);
        let mut taken = 0;
        while outgoing.try_send(message.clone()).is_ok() {
            taken += message.len();
        }
        assert!((900_000..=BYTES as usize).contains(&taken), "{taken}");
        assert_eq!(waiting.recv().await.as_deref(), Some(&*message));
        assert!(outgoing.try_send(message.clone()).is_ok(), "what is read makes room");
    }

    #[tokio::test]
    async fn a_message_longer_than_the_limit_waits_alone() {
        let (outgoing, mut waiting) = queue();
        assert!(outgoing.try_send("x".repeat(3 * BYTES as usize)).is_ok());
        assert!(outgoing.try_send("y".to_owned()).is_err());
        assert_eq!(waiting.recv().await.map(|message| message.len()), Some(3 * BYTES as usize));
        assert!(outgoing.try_send("y".to_owned()).is_ok());
    }

    #[tokio::test]
    async fn who_waits_for_a_client_that_goes_is_let_go() {
        let (outgoing, waiting) = queue();
        assert!(outgoing.try_send("x".repeat(BYTES as usize)).is_ok());
        let sending = tokio::spawn(async move { outgoing.send("y".to_owned()).await });
        tokio::task::yield_now().await;
        drop(waiting);
        tokio::time::timeout(std::time::Duration::from_secs(5), sending).await.unwrap().unwrap();
    }
}
