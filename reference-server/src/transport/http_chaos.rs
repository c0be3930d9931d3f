//! HTTP responses under chaos: the same content, written and cut differently.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::chaos::Chaos;
use crate::memory::Held;
use crate::transport::http_connections::Busy;
use crate::transport::http_reply::{Reply, ReplyBody};

/// A body in pieces, each of which is sent before the next is made.
pub(crate) struct ChaoticBody {
    chaos: Chaos,
    source: Option<Box<ReplyBody>>,
    pieces: VecDeque<Bytes>,
    /// The length that is announced.
    length: Option<u64>,
    is_resting: bool,
    held: Held,
    busy: Option<Busy>,
}

/// The same reply in another form.
pub(crate) fn disturbed(chaos: Chaos, reply: Reply) -> Reply {
    reply.map(|body| {
        let mut chaotic = ChaoticBody {
            chaos,
            source: None,
            pieces: VecDeque::new(),
            length: None,
            is_resting: false,
            held: Held::default(),
            busy: None,
        };
        match body {
            // Nothing can be done to what is not there.
            body if body.size_hint().exact() == Some(0) => return body,
            ReplyBody::Whole(body) => {
                let answered = body.into_answered();
                let bytes = Bytes::from(chaos.body(&answered.text));
                chaotic.held = answered.held;
                chaotic.length = (!chaos.hides_length(&bytes)).then_some(bytes.len() as u64);
                chaotic.cut(&bytes);
            }
            ReplyBody::Fed(body) => chaotic.source = Some(Box::new(ReplyBody::Fed(body.whole()))),
            body => chaotic.source = Some(Box::new(body)),
        }
        ReplyBody::Chaotic(chaotic)
    })
}

impl ChaoticBody {
    /// Keeps the connection busy until everything is written.
    pub(crate) fn keep_busy(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }

    fn cut(&mut self, bytes: &Bytes) {
        self.pieces.extend(self.chaos.pieces(bytes).into_iter().map(|piece| bytes.slice_ref(piece)));
    }
}

impl Body for ChaoticBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.pieces.is_empty()
            && let Some(source) = &mut self.source
        {
            match Pin::new(&mut **source).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(event) = frame.into_data() {
                        let event = self.chaos.event(&String::from_utf8_lossy(&event));
                        self.cut(&event.into());
                    }
                }
            }
        }
        self.is_resting = !self.is_resting && !self.pieces.is_empty();
        if self.is_resting {
            // What was handed over before is written now.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
