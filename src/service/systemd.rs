//! Hosts as transient services of `systemd --user`.
//!
//! They are asked for over the session bus, by one connection that is kept. Where there is no session bus (it is a package
//! of its own on some distributions) `systemd-run`, which speaks to the manager's private socket, does the same in some
//! ten milliseconds. A host is never forked instead: in the supervisor's own control group it would end with it.

use super::{Force, LaunchError, STOP_TIMEOUT, program};
use crate::paths::Paths;
use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use zbus::export::futures_core::Stream;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath, Variant};

/// Starts that the manager is asked for at a time: with more, the first of many would be done with the last.
const IN_FLIGHT: usize = 16;
/// An answer that takes longer is none: a start takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a host may take from the word that its session ended to its own end.
const LEAVING: Duration = Duration::from_secs(10);
/// How often a start is tried again where a unit of that name was still on its way out.
const RETRIES: usize = 3;

const BUS_NAME: &str = "org.freedesktop.systemd1";
const OBJECT: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// The user's manager.
#[derive(Debug)]
pub struct Systemd {
    /// `$XDG_RUNTIME_DIR` of that manager.
    runtime: PathBuf,
    /// Tells the units of one `ABIDE_HOME` from another's.
    tag: Option<String>,
    bus: Mutex<Option<Connection>>,
    slots: Semaphore,
}

/// Does a user manager run here, and does it see the same files as we do? In a container that shares the runtime folder
/// it would look for our programs in another system.
pub(super) fn is_reachable(runtime: &Path) -> bool {
    // A datagram socket: unlike the private one, where the manager logs every connection that says nothing.
    let notify = UnixDatagram::unbound().and_then(|socket| socket.connect(runtime.join("systemd/notify")));
    // Process 0 is one outside of our process namespace.
    notify.is_ok() && bus_owner(runtime).is_none_or(|pid| pid > 0 && same_files(pid))
}

/// The manager made the bus's socket, so that it is the manager whose credentials that shows.
fn bus_owner(runtime: &Path) -> Option<i32> {
    let bus = UnixStream::connect(runtime.join("bus")).ok()?;
    nix::sys::socket::getsockopt(&bus, nix::sys::socket::sockopt::PeerCredentials).ok().map(|peer| peer.pid())
}

fn same_files(pid: i32) -> bool {
    let namespace = |who: &str| std::fs::metadata(format!("/proc/{who}/ns/mnt")).map(|meta| meta.ino());
    match (namespace(&pid.to_string()), namespace("self")) {
        (Ok(theirs), Ok(ours)) => theirs == ours,
        // A manager with capabilities of its own hides this.
        (Err(_), _) | (_, Err(_)) => true,
    }
}

impl Systemd {
    pub(super) fn new(runtime: PathBuf, tag: Option<String>) -> Self {
        Self { runtime, tag, bus: Mutex::new(None), slots: Semaphore::new(IN_FLIGHT) }
    }

    /// The manager's process; none without a session bus.
    pub(super) fn pid(&self) -> Option<u32> {
        bus_owner(&self.runtime).and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0)
    }

    /// `$XDG_RUNTIME_DIR` of the manager.
    pub(super) fn runtime(&self) -> &Path {
        &self.runtime
    }

    fn unit(&self, id: &str) -> String {
        super::unit::session(self.tag.as_deref(), id)
    }

    pub(super) async fn launch(&self, paths: &Paths, id: &str) -> Result<(), LaunchError> {
        let host = program::find("abide-host")?;
        let unit = self.unit(id);
        let failed = |message: String| LaunchError::Manager { doing: "start", unit: unit.clone(), message };
        // Never closed, so a failure cannot be; it would only lift the limit.
        let _slot = self.slots.acquire().await.ok();
        let Some(bus) = self.bus().await else { return self.run_program(paths, &unit, &host, id).await };
        for _ in 0..RETRIES {
            let properties = properties(paths, &host, id).map_err(failed)?;
            let auxiliary: Vec<(&str, Vec<(&str, Variant<'_>)>)> = Vec::new();
            match job(&bus, &unit, "StartTransientUnit", &(&unit, "fail", properties, auxiliary)).await {
                Ok(result) if result == "done" => return Ok(()),
                Ok(result) => return Err(failed(explain(&result, &unit))),
                Err(error) if !is_named(&error, "UnitExists") => return Err(failed(error.to_string())),
                Err(_) => self.wait_until_gone(&bus, &unit).await?,
            }
        }
        Err(failed("a unit of that name does not go away".into()))
    }

    /// A unit of that name is there. One that is ending is waited for; so is one whose host said that it ended and is
    /// about to. One that stays is left alone.
    async fn wait_until_gone(&self, bus: &Connection, unit: &str) -> Result<(), LaunchError> {
        let result = match active_state(bus, unit).await {
            Ok(state) if state == "active" || state == "activating" || state == "reloading" => {
                match tokio::time::timeout(LEAVING, removed(bus, unit)).await {
                    Ok(removed) => removed,
                    Err(_) => return Err(LaunchError::Active(unit.to_owned())),
                }
            }
            Ok(state) if state == "failed" => call(bus, "ResetFailedUnit", &(unit,)).await.map(drop),
            Ok(_) => job(bus, unit, "StopUnit", &(unit, "replace")).await.map(drop),
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => Ok(()),
            // It went while we looked.
            Err(error) if is_named(&error, "NoSuchUnit") => Ok(()),
            Err(error) => Err(LaunchError::Manager {
                doing: "start",
                unit: unit.to_owned(),
                message: error.to_string(),
            }),
        }
    }

    pub(super) async fn stop(&self, id: &str, force: Force) -> Result<(), LaunchError> {
        let unit = self.unit(id);
        let failed = |message: String| LaunchError::Manager { doing: "stop", unit: unit.clone(), message };
        let Some(bus) = self.bus().await else {
            let verb: &[&str] = match force {
                Force::Polite => &["stop", "--no-block"],
                Force::Kill => &["kill", "--signal=KILL"],
            };
            return match self.systemctl(verb, &unit).await {
                Ok(()) => Ok(()),
                Err(message) if message.contains("not loaded") => Ok(()),
                Err(message) => Err(failed(message)),
            };
        };
        let stopped = match force {
            Force::Polite => call(&bus, "StopUnit", &(&unit, "replace")).await,
            Force::Kill => call(&bus, "KillUnit", &(&unit, "all", nix::libc::SIGKILL)).await,
        };
        match stopped {
            Ok(_) => Ok(()),
            Err(error) if is_named(&error, "NoSuchUnit") => Ok(()),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// The connection, made anew where it was lost; none where there is no session bus.
    async fn bus(&self) -> Option<Connection> {
        let mut kept = self.bus.lock().await;
        if let Some(bus) = kept.as_ref().filter(|bus| !bus.is_closed()) {
            return Some(bus.clone());
        }
        // Not by DBUS_SESSION_BUS_ADDRESS: that may be a bus on which this manager is not.
        let address = format!("unix:path={}", escape(&self.runtime.join("bus")));
        let connect = zbus::connection::Builder::address(address.as_str()).method_timeout(PATIENCE).build();
        let bus = tokio::time::timeout(PATIENCE, connect).await.ok()?;
        if let Err(error) = &bus {
            tracing::debug!(%error, "no session bus; using systemd-run");
        }
        *kept = bus.ok();
        kept.clone()
    }

    async fn run_program(&self, paths: &Paths, unit: &str, host: &Path, id: &str) -> Result<(), LaunchError> {
        let failed =
            |message: String| LaunchError::Manager { doing: "start", unit: unit.to_owned(), message };
        let Err(message) = self.systemd_run(paths, unit, host, id).await else { return Ok(()) };
        // As over the bus: one that is ending is waited for, and one that stays is left alone. systemctl waits for a unit
        // only by ending it, so it is asked again and again.
        let mut asked = 0;
        while self.systemctl(&["is-active", "--quiet"], unit).await.is_ok() {
            if asked == 50 {
                return Err(LaunchError::Active(unit.to_owned()));
            }
            asked += 1;
            tokio::time::sleep(LEAVING / 50).await;
        }
        if self.systemctl(&["stop"], unit).await.is_err() {
            // No unit of that name any more; or it was something else, which will show again.
            tracing::debug!(unit, message, "systemd-run failed once");
        }
        self.systemd_run(paths, unit, host, id).await.map_err(failed)
    }

    async fn systemd_run(&self, paths: &Paths, unit: &str, host: &Path, id: &str) -> Result<(), String> {
        let mut command = tokio::process::Command::new("systemd-run");
        command.args(["--user", "--quiet", "--collect", "--slice=abide.slice"]);
        command.arg(format!("--unit={unit}")).arg(format!("--description={}", description(id)));
        for property in [
            "Type=exec",
            "KillMode=mixed",
            "SendSIGHUP=yes",
            "OOMPolicy=continue",
            "UMask=0077",
            "LimitNOFILE=1024:infinity",
        ] {
            command.arg("-p").arg(property);
        }
        command.arg("-p").arg(format!("TimeoutStopSec={}", STOP_TIMEOUT.as_secs()));
        for (name, value) in paths.environment() {
            let mut setting = std::ffi::OsString::from(format!("--setenv={name}="));
            setting.push(value);
            command.arg(setting);
        }
        command.arg("--").arg(host).arg(id);
        self.finish(command).await
    }

    async fn systemctl(&self, verb: &[&str], unit: &str) -> Result<(), String> {
        let mut command = tokio::process::Command::new("systemctl");
        command.arg("--user").args(verb).arg(unit);
        self.finish(command).await
    }

    /// Runs a program of systemd's; its complaint is the error.
    async fn finish(&self, mut command: tokio::process::Command) -> Result<(), String> {
        command
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env("LC_ALL", "C");
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = match tokio::time::timeout(PATIENCE, command.output()).await {
            Ok(output) => output.map_err(|e| format!("cannot run it: {e}"))?,
            Err(_) => return Err("it did not answer".into()),
        };
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}

fn description(id: &str) -> String {
    format!("abide session {id}")
}

/// What a host's unit is: see `systemd.service(5)`. Nothing of a client is in it, since anybody can read it.
fn properties(paths: &Paths, host: &Path, id: &str) -> Result<Vec<(&'static str, Variant<'static>)>, String> {
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| format!("{} is not UTF-8", path.display()))
    };
    let environment = paths
        .environment()
        .iter()
        .map(|(name, value)| Ok(format!("{name}={}", text(value)?)))
        .collect::<Result<Vec<_>, String>>()?;
    let host = text(host)?;
    let arguments = vec![host.clone(), id.to_owned()];
    let microseconds = u64::try_from(STOP_TIMEOUT.as_micros()).unwrap_or(u64::MAX);
    Ok(vec![
        ("Description", description(id).into()),
        // The start is done when the program was executed, so that a missing one is an error of the start.
        ("Type", "exec".into()),
        ("Slice", "abide.slice".into()),
        // Neither an ended session nor a failed one leaves a unit behind.
        ("CollectMode", "inactive-or-failed".into()),
        // SIGTERM to the host, which ends its child; SIGKILL to what is left then.
        ("KillMode", "mixed".into()),
        ("SendSIGHUP", true.into()),
        // Memory that ran out ends one process, not the session.
        ("OOMPolicy", "continue".into()),
        ("TimeoutStopUSec", microseconds.into()),
        ("UMask", 0o077_u32.into()),
        // The child gets its client's limits, which the host's own hard ones bound.
        ("LimitNOFILE", u64::MAX.into()),
        ("LimitNOFILESoft", 1024_u64.into()),
        ("Environment", environment.into()),
        ("ExecStart", vec![(host, arguments, false)].into()),
    ])
}

/// One call to the manager.
async fn call<B>(bus: &Connection, method: &str, body: &B) -> zbus::Result<Message>
where
    B: serde::Serialize + zbus::DynamicType + Sync,
{
    bus.call_method(Some(BUS_NAME), OBJECT, Some(MANAGER), method, body).await
}

/// A call that makes a job for a unit, and the job's result: `done`, `failed`, `canceled`, `timeout`, `dependency`,
/// `skipped`.
async fn job<B>(bus: &Connection, unit: &str, method: &str, body: &B) -> zbus::Result<String>
where
    B: serde::Serialize + zbus::DynamicType + Sync,
{
    // Listened to before the call, and only for this unit: an idle supervisor is not woken by other units' jobs.
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(BUS_NAME)
        .interface(MANAGER)
        .member("JobRemoved")
        .arg(2, unit)
        .build()?;
    let mut signals = MessageStream::for_match_rule(rule, bus, None).await?;
    let mut early = VecDeque::new();
    let job: OwnedObjectPath = {
        let mut reply = pin!(call(bus, method, body));
        loop {
            tokio::select! {
                reply = &mut reply => break reply?.body().deserialize()?,
                signal = next(&mut signals) => early.extend(signal),
            }
        }
    };
    let wait = async {
        loop {
            let signal = match early.pop_front() {
                Some(signal) => signal,
                None => match next(&mut signals).await {
                    Some(signal) => signal,
                    None => return Err(zbus::Error::Failure("the session bus closed".into())),
                },
            }?;
            let body = signal.body();
            let (_id, path, _unit, result): (u32, OwnedObjectPath, String, String) = body.deserialize()?;
            if path == job {
                return Ok(result);
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| Err(zbus::Error::Failure("it did not finish in time".into())))
}

/// Waits until a unit is gone from the manager.
async fn removed(bus: &Connection, unit: &str) -> zbus::Result<()> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(BUS_NAME)
        .interface(MANAGER)
        .member("UnitRemoved")
        .arg(0, unit)
        .build()?;
    let mut signals = MessageStream::for_match_rule(rule, bus, None).await?;
    // Such signals are sent only while somebody has subscribed. The subscription ends with the connection; it wakes nobody
    // here, since the bus passes on what a rule asks for.
    match call(bus, "Subscribe", &()).await {
        Ok(_) => {}
        Err(error) if is_named(&error, "AlreadySubscribed") => {}
        Err(error) => return Err(error),
    }
    // Listening now, so that it cannot go unseen.
    call(bus, "GetUnit", &(unit,)).await?;
    match next(&mut signals).await {
        Some(signal) => signal.map(drop),
        None => Err(zbus::Error::Failure("the session bus closed".into())),
    }
}

async fn next(signals: &mut MessageStream) -> Option<zbus::Result<Message>> {
    std::future::poll_fn(|context| Pin::new(&mut *signals).poll_next(context)).await
}

async fn active_state(bus: &Connection, unit: &str) -> zbus::Result<String> {
    let path: OwnedObjectPath = call(bus, "GetUnit", &(unit,)).await?.body().deserialize()?;
    let properties = Some("org.freedesktop.DBus.Properties");
    let body = ("org.freedesktop.systemd1.Unit", "ActiveState");
    let reply = bus.call_method(Some(BUS_NAME), path, properties, "Get", &body).await?;
    let state: zbus::OwnedVariant = reply.body().deserialize()?;
    String::try_from(state)
}

/// Is it the manager's error of this name?
fn is_named(error: &zbus::Error, name: &str) -> bool {
    let zbus::Error::MethodError(full, _, _) = error else { return false };
    full.as_str().strip_prefix("org.freedesktop.systemd1.") == Some(name)
}

fn explain(result: &str, unit: &str) -> String {
    format!("its start ended as {result:?}; see journalctl --user -u {unit}")
}

/// As the D-Bus specification has it for values of addresses.
fn escape(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/.\\*".contains(&byte);
    path.as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") })
        .collect()
}
