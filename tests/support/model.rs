//! A model's server on the loopback interface, for agent CLIs that would ask one over the network: every message is
//! answered with one text.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// See the module. It lives as long as the test program.
pub(crate) struct Model {
    port: u16,
}

impl Model {
    /// Answers everything with this text.
    pub(crate) fn new(text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let text = text.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let text = text.clone();
                // A client that hangs up is no concern of the test's.
                std::thread::spawn(move || _ = serve(&stream, &text));
            }
        });
        Self { port }
    }

    /// For `ANTHROPIC_BASE_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn serve(stream: &TcpStream, text: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while reader.read_line(&mut request)? > 0 {
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line)? > 2 {
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (kind, answer) = answer(&request, &body, text);
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        )?;
        request.clear();
    }
    Ok(())
}

/// Content type and body.
fn answer(request: &str, body: &[u8], text: &str) -> (&'static str, String) {
    use serde_json::json;
    let asked: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    if path.ends_with("/count_tokens") {
        return ("application/json", json!({"input_tokens": 1}).to_string());
    }
    if !path.ends_with("/v1/messages") {
        return ("application/json", "{}".into());
    }
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let message = |content: serde_json::Value, reason: serde_json::Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"],
               "content": content, "stop_reason": reason, "stop_sequence": null, "usage": usage})
    };
    if asked["stream"] != true {
        let whole = message(json!([{"type": "text", "text": text}]), "end_turn".into());
        return ("application/json", whole.to_string());
    }
    let events = [
        json!({"type": "message_start", "message": message(json!([]), serde_json::Value::Null)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
               "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    let stream = events.iter().map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap_or("")));
    ("text/event-stream", stream.collect())
}
