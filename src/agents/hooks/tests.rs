use super::*;
use proptest::prelude::*;

fn call(form: Form, input: &str) -> Call {
    read(form, "profile", input.as_bytes(), &Text::from("/hook"))
        .unwrap_or_else(|| panic!("no call: {input}"))
}

fn heard(form: Form, input: &str) -> Happening {
    call(form, input).report.what
}

/// As Claude Code 2.1.329 says it.
const CLAUDE: &str = r#""session_id":"d05337a5-7914-48b9-82c0-ef30168db885","transcript_path":"/home/u/.claude/projects/-p/d05337a5-7914-48b9-82c0-ef30168db885.jsonl","cwd":"/p","prompt_id":"f67e2163-c802-498f-b7b1-74205fa32672","permission_mode":"acceptEdits","effort":{"level":"medium"}"#;

fn claude(rest: &str) -> Happening {
    heard(Form::Claude, &format!("{{{CLAUDE},{rest}}}"))
}

#[test]
fn claude_code_is_understood() {
    let begins = call(
        Form::Claude,
        r#"{"session_id":"d05337a5-7914-48b9-82c0-ef30168db885","transcript_path":"/t","cwd":"/p","hook_event_name":"SessionStart","source":"startup","model":"claude-opus-5-5","session_title":"my name"}"#,
    );
    let Report { agent, session_id, cwd, what, of_sub_agent } = begins.report;
    assert_eq!((agent.as_str(), session_id.as_str()), ("profile", "d05337a5-7914-48b9-82c0-ef30168db885"));
    assert_eq!((cwd, of_sub_agent), (Text::from("/p"), false));
    assert_eq!(what, Happening::Begins { source: "startup".into(), title: "my name".into() });

    assert_eq!(
        claude(r#""hook_event_name":"UserPromptSubmit","prompt":"fix it""#),
        Happening::Prompted { prompt: "fix it".into() }
    );
    assert_eq!(
        claude(
            r#""hook_event_name":"PreToolUse","tool_name":"Write","tool_input":{"file_path":"/p/a.txt","content":"hi\n"},"tool_use_id":"toolu_1""#
        ),
        Happening::Tool { tool: "Write".into(), writes: vec!["/p/a.txt".into()] }
    );
    assert_eq!(
        claude(
            r#""hook_event_name":"PreToolUse","tool_name":"NotebookEdit","tool_input":{"notebook_path":"b.ipynb","new_source":"x"}"#
        ),
        Happening::Tool { tool: "NotebookEdit".into(), writes: vec!["b.ipynb".into()] }
    );
    assert_eq!(
        claude(r#""hook_event_name":"PreToolUse","tool_name":"Read","tool_input":{"file_path":"/p/a.txt"}"#),
        Happening::Tool { tool: "Read".into(), writes: vec![] }
    );
    assert_eq!(
        claude(
            r#""hook_event_name":"PostToolUse","tool_name":"Write","tool_input":{"file_path":"/p/a.txt","content":"hi\n"},"tool_response":{"type":"create","structuredPatch":[],"originalFile":null},"duration_ms":86"#
        ),
        Happening::ToolOver { tool: "Write".into() }
    );
    assert_eq!(
        claude(
            r#""hook_event_name":"PermissionRequest","tool_name":"Bash","tool_input":{"command":"cd /tmp && ls","description":"list"},"permission_suggestions":[]"#
        ),
        Happening::NeedsUser { what: "Bash: cd /tmp && ls".into() }
    );
    assert_eq!(
        claude(
            r#""hook_event_name":"Notification","message":"Claude needs your permission","notification_type":"permission_prompt""#
        ),
        Happening::NeedsUser { what: "Claude needs your permission".into() }
    );
    assert_eq!(
        claude(
            r#""hook_event_name":"Notification","message":"Claude is waiting for your input","notification_type":"idle_prompt""#
        ),
        Happening::Other { name: "idle_prompt".into() }
    );
    for (tasks, crons, waits_for_own) in
        [("[]", "[]", false), (r#"[{"id":"1"}]"#, "[]", true), ("[]", "[1]", true)]
    {
        let stop = format!(
            r#""hook_event_name":"Stop","stop_hook_active":false,"last_assistant_message":"done","background_tasks":{tasks},"session_crons":{crons}"#
        );
        assert_eq!(claude(&stop), Happening::TurnOver { waits_for_own });
    }
    assert_eq!(
        claude(r#""hook_event_name":"StopFailure","error":"rate_limit","error_details":"429""#),
        Happening::TurnFailed { error: "429".into() }
    );
    assert_eq!(
        claude(r#""hook_event_name":"SessionEnd","reason":"prompt_input_exit""#),
        Happening::Ends { reason: "prompt_input_exit".into() }
    );
    let moved = call(
        Form::Claude,
        &format!(r#"{{{CLAUDE},"hook_event_name":"CwdChanged","old_cwd":"/p","new_cwd":"/q"}}"#),
    );
    assert_eq!((moved.report.what, moved.report.cwd), (Happening::Moved, Text::from("/q")));
    let sub = call(
        Form::Claude,
        &format!(
            r#"{{{CLAUDE},"hook_event_name":"PreToolUse","agent_id":"a1","agent_type":"Explore","tool_name":"Grep","tool_input":{{}}}}"#
        ),
    );
    assert!(sub.report.of_sub_agent);
    assert!(
        call(Form::Claude, &format!(r#"{{{CLAUDE},"hook_event_name":"SubagentStop"}}"#)).report.of_sub_agent
    );
}

#[test]
fn codex_is_understood_and_its_patches_are() {
    let codex = |rest: &str| {
        heard(
            Form::Codex,
            &format!(
                r#"{{"session_id":"01a213f1-3abe-7c92-8b8d-deb83e956460","turn_id":"01a213f1-3b90-7341-b3e3-b88cc5b60082","transcript_path":"/t","cwd":"/p","model":"gpt-5.5","permission_mode":"default",{rest}}}"#
            ),
        )
    };
    assert_eq!(
        codex(r#""hook_event_name":"SessionStart","source":"startup""#),
        Happening::Begins { source: "startup".into(), title: String::new() }
    );
    assert_eq!(
        codex(
            r#""hook_event_name":"PreToolUse","tool_name":"apply_patch","tool_input":{"command":"*** Begin Patch\n*** Add File: c.txt\n+hi\n*** End Patch"},"tool_use_id":"call_1""#
        ),
        Happening::Tool { tool: "apply_patch".into(), writes: vec!["c.txt".into()] }
    );
    assert_eq!(
        codex(r#""hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"touch x"}"#),
        Happening::Tool { tool: "Bash".into(), writes: vec![] }
    );
    assert_eq!(
        codex(
            r#""hook_event_name":"PostToolUse","tool_name":"Bash","tool_input":{"command":"touch x"},"tool_response":"denied\n""#
        ),
        Happening::ToolOver { tool: "Bash".into() }
    );
    assert_eq!(codex(r#""hook_event_name":"Interrupt""#), Happening::TurnOver { waits_for_own: false });
}

#[test]
fn gemini_is_understood() {
    let gemini = |rest: &str| {
        heard(
            Form::Gemini,
            &format!(
                r#"{{"session_id":"ffc7a967-6b5c-4cd1-91e4-53306a3e6a9a","transcript_path":"/t","cwd":"/p","timestamp":"2026-11-25T18:20:32.898Z",{rest}}}"#
            ),
        )
    };
    assert_eq!(
        gemini(r#""hook_event_name":"SessionStart","source":"startup""#),
        Happening::Begins { source: "startup".into(), title: String::new() }
    );
    assert_eq!(
        gemini(r#""hook_event_name":"BeforeAgent","prompt":"go""#),
        Happening::Prompted { prompt: "go".into() }
    );
    for tool in ["write_file", "replace"] {
        assert_eq!(
            gemini(&format!(
                r#""hook_event_name":"BeforeTool","tool_name":"{tool}","tool_input":{{"file_path":"/p/b.txt","content":"hi\n"}}"#
            )),
            Happening::Tool { tool: tool.into(), writes: vec!["/p/b.txt".into()] }
        );
    }
    assert_eq!(
        gemini(
            r#""hook_event_name":"AfterTool","tool_name":"run_shell_command","tool_input":{"command":"ls"},"tool_response":{"llmContent":"x","returnDisplay":[[{"text":" "}]]}"#
        ),
        Happening::ToolOver { tool: "run_shell_command".into() }
    );
    assert_eq!(
        gemini(
            r#""hook_event_name":"AfterAgent","prompt":"go","prompt_response":"done","stop_hook_active":false"#
        ),
        Happening::TurnOver { waits_for_own: false }
    );
    assert_eq!(
        gemini(r#""hook_event_name":"PreCompress","trigger":"auto""#),
        Happening::Other { name: "PreCompress".into() }
    );
}

#[test]
fn opencodes_plugin_is_understood() {
    let sub = call(
        Form::Opencode,
        r#"{"event":"begins","session":"ses_dec0dc8f2ffe9P6HPlV2PqqRaE","cwd":"/p","parent":"ses_1"}"#,
    );
    assert!(sub.report.of_sub_agent);
    assert_eq!(sub.report.session_id, "ses_dec0dc8f2ffe9P6HPlV2PqqRaE");
    assert_eq!(
        heard(
            Form::Opencode,
            r#"{"event":"tool","session":"s","tool":"edit","args":{"filePath":"/p/a","oldString":"x"}}"#
        ),
        Happening::Tool { tool: "edit".into(), writes: vec!["/p/a".into()] }
    );
    assert_eq!(
        heard(
            Form::Opencode,
            r#"{"event":"tool","session":"s","tool":"apply_patch","args":{"patchText":"*** Begin Patch\n*** Delete File: b\n*** End Patch"}}"#
        ),
        Happening::Tool { tool: "apply_patch".into(), writes: vec!["b".into()] }
    );
    assert_eq!(
        heard(Form::Opencode, r#"{"event":"needs-user","tool":"bash","what":"rm x"}"#),
        Happening::NeedsUser { what: "bash: rm x".into() }
    );
    assert_eq!(
        heard(Form::Opencode, r#"{"event":"titled","title":"A\ntitle"}"#),
        Happening::Titled { title: "A title".into() }
    );
}

#[test]
fn what_says_nothing_is_a_turn_that_is_over() {
    let call = read(Form::Aider, "aider", b"", &Text::from("/hook")).expect("a call");
    assert_eq!(call.report.what, Happening::TurnOver { waits_for_own: false });
    assert_eq!((call.report.cwd.clone(), call.report.session_id.as_str()), (Text::from("/hook"), ""));
    assert_eq!(call.say(&Answer::Refuse("no".into())), "");
    assert!(!Form::Aider.has_input() && Form::Claude.has_input());
}

#[test]
fn answers_are_in_the_agents_own_form() {
    let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    let tool = |form, event: &str| call(form, &format!(r#"{{"hook_event_name":"{event}","event":"tool"}}"#));
    let refuse = Answer::Refuse("it is shared".into());
    for form in [Form::Claude, Form::Codex] {
        let said = json(tool(form, "PreToolUse").say(&refuse));
        assert_eq!(
            said["hookSpecificOutput"],
            serde_json::json!({"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "it is shared"})
        );
        let said = json(tool(form, "SessionStart").say(&Answer::Tell("nobody watches".into())));
        assert_eq!(said["hookSpecificOutput"]["additionalContext"], "nobody watches");
        assert_eq!(tool(form, "PostToolUse").say(&refuse), "", "it has happened");
    }
    assert_eq!(
        json(tool(Form::Gemini, "BeforeTool").say(&refuse)),
        serde_json::json!({"decision": "deny", "reason": "it is shared"})
    );
    assert_eq!(json(tool(Form::Opencode, "").say(&refuse)), serde_json::json!({"refuse": "it is shared"}));
}

#[test]
fn what_is_no_call_is_passed_over_and_values_of_other_types_are_missing() {
    for form in [Form::Claude, Form::Codex, Form::Gemini, Form::Opencode] {
        for input in [
            "",
            "{}",
            "[]",
            "null",
            "{\"hook_event_name\":",
            "\u{0}",
            "\"x\"",
            "{\"event\":7,\"hook_event_name\":[]}",
        ] {
            assert_eq!(read(form, "a", input.as_bytes(), &Text::default()), None, "{form:?} {input}");
        }
    }
    let odd = r#"{"hook_event_name":"PreToolUse","event":"tool","session_id":{"a":[1]},"session":["--resume"],"cwd":null,"tool_name":7,"tool":{},"tool_input":"text","args":[],"agent_id":false}"#;
    for form in [Form::Claude, Form::Gemini, Form::Opencode] {
        let odd = call(form, odd);
        assert_eq!(odd.report.session_id, "", "{form:?}");
        assert_eq!(odd.report.cwd, Text::from("/hook"), "{form:?}");
    }
    let option = r#"{"hook_event_name":"Stop","session_id":"--dangerously-skip-permissions"}"#;
    assert_eq!(call(Form::Claude, option).report.session_id, "");
}

proptest! {
    #[test]
    fn no_input_breaks_it(input in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,60}") {
        let json = serde_json::json!({
            "hook_event_name": text, "event": text, "session_id": text, "session": text, "cwd": text, "prompt": text,
            "tool_name": text, "tool_input": {"file_path": text, "command": text}, "message": text,
        }).to_string();
        for form in [Form::Claude, Form::Codex, Form::Gemini, Form::Opencode, Form::Aider] {
            for input in [input.as_slice(), json.as_bytes()] {
                if let Some(call) = read(form, "a", input, &Text::from("/")) {
                    prop_assert!(call.report.session_id.is_empty() || crate::core::conversation::is_id(&call.report.session_id));
                    for answer in [Answer::Refuse(text.clone()), Answer::Tell(text.clone()), Answer::Remark(text.clone())] {
                        let said = call.say(&answer);
                        prop_assert!(said.is_empty() || serde_json::from_str::<serde_json::Value>(&said).is_ok());
                    }
                }
            }
        }
    }

    #[test]
    fn a_long_prompt_is_cut_between_characters(prompt in "é{3000,5000}") {
        let json = serde_json::json!({"hook_event_name": "UserPromptSubmit", "prompt": prompt}).to_string();
        let Happening::Prompted { prompt: kept } = heard(Form::Claude, &json) else { panic!("not a prompt") };
        prop_assert!(kept.len() <= PROMPT && prompt.starts_with(&kept));
    }
}
