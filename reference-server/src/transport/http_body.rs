//! Bodies of HTTP responses: known at once, or written by a future. They are given out in pieces, and the client has to
//! take one before the next comes; what is not given out yet counts in the memory for all clients.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::memory::{Answered, Held, Memory, SMALL};
use crate::server::Server;
use crate::transport::http_connections::Busy;

/// Bytes given out at a time: more would stay in the buffer of the connection, however slowly the client reads.
const PIECE: usize = 32 << 10;

/// Bytes, and the memory that they take until all is given out.
#[derive(Default)]
pub(crate) struct Chunk {
    bytes: Bytes,
    held: Held,
    /// Told when a piece is given out, where there are several.
    busy: Option<Busy>,
}

impl Chunk {
    fn piece(&mut self) -> Option<Bytes> {
        if self.bytes.is_empty() {
            return None;
        }
        let piece = self.bytes.split_to(self.bytes.len().min(PIECE));
        if let Some(busy) = &self.busy {
            busy.gives_out();
        }
        if self.bytes.is_empty() {
            self.held = Held::default();
            self.busy = None;
        }
        Some(piece)
    }

    /// Keeps the connection busy until all is given out; what fits into one piece is as good as written.
    pub(crate) fn keep_busy(&mut self, busy: Busy) {
        if self.bytes.len() > PIECE {
            self.busy = Some(busy);
        }
    }

    /// All that is left, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The same, and what it takes of the memory.
    pub(crate) fn into_answered(self) -> Answered {
        Answered { text: self.text(), held: self.held }
    }
}

impl From<Answered> for Chunk {
    fn from(Answered { text, held }: Answered) -> Self {
        Self { bytes: text.into(), held, busy: None }
    }
}

impl Body for Chunk {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// Bytes whose length is not told, of a server with faults: the head may say what it likes.
pub(crate) struct Unmeasured {
    chunk: Chunk,
    is_written: bool,
}

impl From<Chunk> for Unmeasured {
    fn from(chunk: Chunk) -> Self {
        Self { chunk, is_written: false }
    }
}

impl Body for Unmeasured {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.chunk.piece();
        // Before the end comes that is too early, everything is written.
        if piece.is_none() && !std::mem::replace(&mut self.is_written, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Where a future puts what its body is to give out: one chunk, until that is under way.
pub(crate) struct Feed {
    chunks: mpsc::Sender<Chunk>,
    memory: Arc<Memory>,
    /// How long a chunk waits for room in the memory of all.
    patience: Duration,
}

impl Feed {
    /// Waits until there is room; false when it cannot be given out any more.
    pub(crate) async fn send(&self, bytes: Bytes) -> bool {
        if bytes.len() <= SMALL {
            return self.send_held(bytes, Held::default()).await;
        }
        match self.memory.wait(bytes.len(), self.patience).await {
            Some(held) => self.send_held(bytes, held).await,
            None => false,
        }
    }

    /// The same for what is counted already.
    pub(crate) async fn send_held(&self, bytes: Bytes, held: Held) -> bool {
        self.chunks.send(Chunk { bytes, held, busy: None }).await.is_ok()
    }
}

/// A response body that a future writes. Dropping the body drops the future.
pub(crate) struct FedBody {
    chunks: mpsc::Receiver<Chunk>,
    /// What is being given out.
    current: Chunk,
    /// Whether a chunk is given out whole, for whoever changes it.
    is_whole: bool,
    feeder: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    busy: Option<Busy>,
}

impl FedBody {
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        server: &Server,
        feed: impl FnOnce(Feed) -> F,
    ) -> Self {
        let (sender, chunks) = mpsc::channel(1);
        let (memory, patience) = (Arc::clone(server.memory()), server.config().read_timeout);
        let feeder: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(feed(Feed { chunks: sender, memory, patience }));
        Self { chunks, current: Chunk::default(), is_whole: false, feeder: Some(feeder), busy: None }
    }

    /// Keeps the connection busy until the stream ends.
    pub(crate) fn keep_busy(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }

    /// The next piece.
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(piece) = self.current.piece() {
            return Poll::Ready(Some(piece));
        }
        if let Some(feeder) = &mut self.feeder
            && feeder.as_mut().poll(context).is_ready()
        {
            self.feeder = None;
        }
        let Poll::Ready(chunk) = self.chunks.poll_recv(context) else { return Poll::Pending };
        Poll::Ready(chunk.map(|chunk| {
            if self.is_whole {
                return chunk.bytes;
            }
            self.current = chunk;
            self.current.piece().unwrap_or_default()
        }))
    }

    /// Gives out every chunk whole.
    pub(crate) fn whole(mut self) -> Self {
        self.is_whole = true;
        self
    }
}

impl Body for FedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.next(context);
        if let Some(busy) = &self.busy {
            if frame.is_ready() { busy.gives_out() } else { busy.is_read() }
        }
        frame.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
