//! The tools that agents get by MCP, spoken to as a client does: lines of JSON over pipes.

use crate::support::{Home, ended, run};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A client of `abide mcp`.
struct Client {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    last: u64,
}

impl Client {
    /// Starts it, and nothing more.
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("abide mcp");
        let from = BufReader::new(child.stdout.take().expect("piped"));
        Self { to: child.stdin.take(), child, from, last: 0 }
    }

    /// Shakes hands, too.
    fn of(home: &Home) -> Self {
        let mut client = Self::start(home.abide_command(["mcp"]));
        client.initialize();
        client
    }

    fn initialize(&mut self) -> Value {
        let me = json!({"name": "test", "version": "1"});
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": me});
        let said = self.ask("initialize", hello);
        self.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        said["result"].clone()
    }

    fn write(&mut self, line: &str) {
        writeln!(self.to.as_ref().expect("open"), "{line}").expect("write");
    }

    /// Sends a request and does not wait for its answer; returns its number.
    fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.last += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params});
        self.write(&request.to_string());
        self.last
    }

    /// The next message.
    fn read(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.from.read_line(&mut line).expect("read") > 0, "it said no more");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        loop {
            let said = self.read();
            if said["id"] == id {
                return said;
            }
        }
    }

    /// Calls a tool; its result.
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let said = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(said["result"].is_object(), "{said}");
        said["result"].clone()
    }

    /// The facts that a tool answers, and the text beside them.
    fn facts(&mut self, tool: &str, arguments: Value) -> (Value, String) {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], false, "{result}");
        let text = |n: usize| result["content"][n]["text"].as_str().unwrap_or_default().to_owned();
        (serde_json::from_str(&text(0)).expect("facts"), text(1))
    }

    /// What a tool says went wrong.
    fn error(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().expect("a text").to_owned()
    }

    /// Closes its input; it ends by itself, and well.
    fn hang_up(mut self) {
        self.to = None;
        let status = self.child.wait().expect("wait");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Over already, where all went well.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn a_conversation_with_every_tool() {
    let home = Home::new();
    let mut client = Client::start(home.abide_command(["mcp"]));
    let about = client.initialize();
    assert_eq!(about["serverInfo"]["name"], "abide");
    assert!(about["instructions"].as_str().is_some_and(|text| text.contains("dispatch")), "{about}");
    let tools = client.ask("tools/list", json!({}))["result"]["tools"].clone();
    let names: Vec<&str> =
        tools.as_array().expect("tools").iter().filter_map(|t| t["name"].as_str()).collect();
    assert_eq!(names, ["dispatch", "list", "read", "send", "wait"]);
    assert_eq!(home.supervisor(), None, "nothing needed one yet");

    let script = "echo ready; while read line; do echo \"<$line>\"; [ \"$line\" = end ] && exit 3; done";
    let (made, _) = client.facts("dispatch", json!({"command": ["sh", "-c", script], "name": "echo"}));
    let id = made["id"].as_str().expect("an id").to_owned();
    assert_eq!((&made["name"], &made["attended"]), (&"echo".into(), &false.into()));

    let (listed, _) = client.facts("list", json!({}));
    assert_eq!(
        (&listed["sessions"][0]["id"], listed["sessions"].as_array().map(Vec::len)),
        (&made["id"], Some(1))
    );

    let (sent, _) = client.facts("send", json!({"session": "echo", "text": "hello"}));
    assert_eq!((&sent["id"], &sent["typed"]), (&made["id"], &5.into()));
    let (late, _) =
        client.facts("wait", json!({"session": &id[..6], "states": ["blocked"], "timeout_seconds": 0}));
    assert_eq!((&late["timedOut"], &late["reached"]), (&true.into(), &false.into()));
    client.facts("send", json!({"session": "echo", "text": "end"}));
    let (over, _) =
        client.facts("wait", json!({"session": "echo", "states": ["idle"], "timeout_seconds": 60}));
    assert_eq!(
        (&over["state"], &over["reached"], &over["timedOut"], &over["ended"]),
        (&"failed".into(), &false.into(), &false.into(), &"exited with status 3".into())
    );

    let (screen, text) = client.facts("read", json!({"session": "echo"}));
    assert_eq!((&screen["from"], &screen["live"]), (&"screen".into(), &false.into()));
    assert!(text.contains("ready") && text.contains("<hello>"), "{text}");
    let (log, text) = client.facts("read", json!({"session": "echo", "from": "log", "lines": 1}));
    assert_eq!((text.as_str(), &log["next"]), ("<end>\n", &log["end"]));
    let (log, text) = client.facts("read", json!({"session": id, "from": "log", "since": 0}));
    assert!(text.starts_with("ready\n"), "{text}");
    assert_eq!((&log["since"], &log["cut"]), (&0.into(), &false.into()));
    let (_, none) = client.facts("read", json!({"session": id, "from": "log", "since": log["next"]}));
    assert_eq!(none, "");
    // What was dispatched is nobody's own terminal, and who asked is on record.
    let known = home.abide(["show", "--json", &id]).json();
    assert_eq!(known["kind"], "background");
    client.hang_up();
}

#[test]
fn mistakes_are_told_as_what_a_caller_can_do_about_them() {
    let home = Home::new();
    let mut client = Client::of(&home);
    let unknown = client.ask("tools/call", json!({"name": "destroy", "arguments": {}}));
    assert!(unknown["error"]["message"].as_str().is_some_and(|m| m.contains("dispatch, list")), "{unknown}");
    for (tool, arguments, says) in [
        ("read", json!({}), "missing field `session`"),
        ("read", json!({"session": 7}), "invalid type"),
        ("read", json!({"session": "x", "sessions": "x"}), "unknown field `sessions`"),
        ("read", json!({"session": "x", "lines": 5}), "no session \"x\""),
        ("read", json!({"session": "x", "max_bytes": 3}), "max_bytes is 3"),
        ("read", json!({"session": "x", "from": "memory"}), "unknown variant"),
        ("list", json!({"limit": 0}), "from 1 to 200"),
        ("list", json!({"cwd": "here"}), "absolute"),
        ("dispatch", json!({}), "give a prompt or a command"),
        ("dispatch", json!({"command": [], "name": "x"}), "empty"),
        ("dispatch", json!({"command": ["true"], "prompt": "x"}), "neither a prompt nor"),
        ("dispatch", json!({"command": ["/no/such/program"]}), "no/such/program"),
        ("dispatch", json!({"command": ["true"], "cwd": "/no/such/folder"}), "/no/such/folder"),
        ("send", json!({"session": "x", "text": "y"}), "hint: `abide ls --all`"),
        ("send", json!({"session": "x", "text": "y".repeat(2 << 20)}), "too much to type"),
        ("wait", json!({"session": "x", "timeout_seconds": 9999}), "3600"),
        ("wait", json!({"session": "x", "states": ["asleep"]}), "unknown variant `asleep`"),
    ] {
        let error = client.error(tool, arguments.clone());
        assert!(error.contains(says) && error.len() < 2_100, "{tool} {arguments}: {error}");
    }
    client.hang_up();
}

#[test]
fn what_a_session_prints_is_bounded_and_cannot_act() {
    let home = Home::new();
    let script = "i=0; while [ $i -lt 3000 ]; do echo \"line $i\"; i=$((i+1)); done; \
                  printf 'a\\033]0;title\\007b\\033[31mc\\342\\200\\256d\\n'";
    let id = home.session(["sh", "-c", script]);
    home.abide(["wait", &id, "--for", "done"]).ok();
    let mut client = Client::of(&home);
    let (facts, text) =
        client.facts("read", json!({"session": id, "from": "log", "lines": 5000, "max_bytes": 1000}));
    assert_eq!(facts["cut"], true);
    assert!(text.len() <= 1000 && text.ends_with("line 2999\nabcd\n"), "{text}");
    // Part by part every line comes once.
    let (mut since, mut all) = (json!(0), String::new());
    loop {
        let (facts, text) =
            client.facts("read", json!({"session": id, "from": "log", "since": since, "max_bytes": 5000}));
        assert!(text.len() <= 5001);
        all.push_str(&text);
        since = facts["next"].clone();
        if since == facts["end"] {
            break;
        }
    }
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[2999]), (3001, "line 0", "line 2999"));
    client.hang_up();
}

#[test]
fn whatever_comes_in_it_serves_on_or_leaves_in_order() {
    let home = Home::new();
    let mut client = Client::of(&home);
    for garbage in ["", "{", "[]", "null", "\u{0}\u{1}", "{\"jsonrpc\":\"2.0\"}", "{\"id\":{}}"] {
        client.write(garbage);
    }
    client.write(&"x".repeat(9 << 20));
    let deep = "[".repeat(100_000);
    client.write(&format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{deep}"));
    assert_eq!(client.call("list", json!({}))["isError"], false);
    let unknown = client.ask("no/such/method", json!({}));
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    client.hang_up();

    let mut nothing = home.abide_command(["mcp"]);
    let output = run(nothing.stdin(Stdio::null()));
    assert_eq!(output.ok(), "");
    let mut garbage = Client::start(home.abide_command(["mcp"]));
    garbage.write(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {}}).to_string());
    assert_eq!(garbage.child.wait().expect("wait").code(), Some(1));
}

#[test]
fn who_leaves_ends_its_waits() {
    let home = Home::new();
    let id = home.session(["cat"]);
    let mut client = Client::of(&home);
    let wait =
        json!({"name": "wait", "arguments": {"session": id, "states": ["idle"], "timeout_seconds": 3600}});
    client.begin("tools/call", wait.clone());
    // It is under way when another has been answered, and one that is taken back is over.
    client.call("list", json!({}));
    let taken_back = client.begin("tools/call", wait);
    client.call("list", json!({}));
    let cancel = json!({"requestId": taken_back, "reason": "enough"});
    client
        .write(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel}).to_string());
    client.call("list", json!({}));
    let pid = client.child.id();
    client.hang_up();
    ended(pid);
    let known = home.abide(["show", "--json", &id]).json();
    assert!(known["pid"].is_u64(), "the session goes on: {known}");
}
