//! What sessions use of the machine.

use crate::support::{Home, Stage, until};
use serde_json::Value;

/// `abide.usage` of a session.
fn usage(home: &Home, id: &str) -> Value {
    let list = home.abide(["ls", "--memory", "--json"]).json();
    let found = list.as_array().expect("an array").iter().find(|s| s["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {list}"))["abide"]["usage"].clone()
}

#[test]
fn memory_and_processor_time_are_those_of_all_that_a_session_started() {
    let home = Home::new();
    // `tail` keeps the one line that it is given, whole.
    let grows = "head -c 40000000 /dev/zero | tr '\\0' x; exec sleep 1000";
    let large = home.session(["sh", "-c", &format!("({grows}) | tail")]);
    let small = home.session(["sleep", "1000"]);
    let used = until("the child of a child to have grown", || {
        let used = usage(&home, &large);
        used["memory"].as_u64().is_some_and(|n| n > 40_000_000).then_some(used)
    });
    assert!(used["cpuUs"].as_u64().expect("a number") > 0, "{used}");
    let other = usage(&home, &small);
    let memory = other["memory"].as_u64().expect("a number");
    assert!((1..20_000_000).contains(&memory), "{other}");
    match Stage::current() {
        // Whatever else is in the terminal's control group is not the session's.
        Stage::Standalone => {
            assert_eq!((&used["memoryFrom"], &used["cpuFrom"]), (&"processes".into(), &"processes".into()));
        }
        // Which controllers a machine has is its own affair; time is always counted.
        Stage::Systemd => assert_eq!(used["cpuFrom"], "cgroup", "{used}"),
    }
    assert_eq!(used["oomKills"], 0);
    let shown = home.abide(["ls", "--memory"]);
    let head: Vec<&str> = shown.stdout.lines().next().expect("a head").split_whitespace().collect();
    assert_eq!(head, ["ID", "NAME", "STATE", "AGE", "MEM", "CPU", "CWD", "WHAT"]);
    assert!(shown.stdout.contains(" MiB "), "{shown}");
    assert!(home.abide(["show", &large]).ok().contains(" of memory, "));
}

#[test]
fn what_is_over_uses_nothing_and_nobody_is_asked_without_need() {
    let home = Home::new();
    let id = home.session(["sleep", "1000"]);
    assert!(home.list()[0]["abide"].get("usage").is_none(), "it was not asked for");
    home.abide(["stop", "--grace", "0s", &id]).ok();
    let list = home.abide(["ls", "--all", "--memory", "--json"]).json();
    assert!(list[0]["abide"].get("usage").is_none(), "{list}");
    let table = home.abide(["ls", "--all", "--memory"]);
    assert!(table.ok().lines().nth(1).expect("a row").contains("  -  "), "{table}");
}
