//! The least that can answer: each JSON message is read as a value and answered by one, with nothing of the protocol
//! around it. What the reference server takes longer than this is the price of the protocol.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead, Write};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

fn answer(message: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let id = message.get("id")?;
    let result = if message["method"] == "initialize" {
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "minimal", "version": "1"}})
    } else {
        let text = &message["params"]["arguments"]["text"];
        json!({"content": [{"type": "text", "text": text}], "isError": false})
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string())
}

/// One line in, one line out.
pub(crate) fn serve_stdio() -> std::io::Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if let Some(mut text) = answer(&line) {
            text.push('\n');
            output.write_all(text.as_bytes())?;
            output.flush()?;
        }
        line.clear();
    }
    Ok(())
}

/// One POST in, one JSON body out.
pub(crate) fn serve_http(port: &str) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(reply)),
            );
        }
    })
}

async fn reply(request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    let is_first = !request.headers().contains_key(SESSION_ID);
    let body = request.into_body().collect().await?.to_bytes();
    let mut response = Response::default();
    if is_first {
        // So that it is sent the same bytes as the others.
        response
            .headers_mut()
            .insert(SESSION_ID, HeaderValue::from_static("0123456789abcdef0123456789abcdef"));
    }
    match answer(&body) {
        Some(text) => {
            *response.body_mut() = Full::from(text);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        None => *response.status_mut() = StatusCode::ACCEPTED,
    }
    Ok(response)
}
