//! What becomes of sessions on a machine with these facts.

use super::{Facts, Fate, Forecast, Happening, Service};

/// What happens to sessions at each [`Happening`], in that order.
pub fn forecast(facts: &Facts) -> Vec<Forecast> {
    Happening::ALL
        .iter()
        .map(|&event| {
            let (sessions, why) = match event {
                Happening::TerminalClose => terminal_close(facts),
                Happening::Logout => logout(facts),
                Happening::SupervisorCrash => crash(facts),
                Happening::Upgrade => upgrade(facts),
                Happening::LowMemory => low_memory(facts),
                Happening::Sleep => {
                    (Fate::LiveOn, "they sleep too; the time does not count as idle".to_owned())
                }
                Happening::Reboot => (
                    Fate::End,
                    "each is parked, records and output stay: `abide respawn ID` starts it again, `--restart auto` by \
                     itself"
                        .to_owned(),
                ),
            };
            Forecast { event, sessions, why }
        })
        .collect()
}

fn terminal_close(facts: &Facts) -> (Fate, String) {
    let why = match &facts.service {
        Service::Systemd(_) => "each is a service of its own, outside of the terminal's scope",
        Service::Launchd | Service::Alone(_) => "each is in a session of its own, which no terminal hangs up",
    };
    (Fate::LiveOn, why.to_owned())
}

/// The user manager goes with the last login session, unless the user lingers or a login session stays. What is no unit of
/// the manager's stays where it was started, in the login's scope, and goes only where logind clears that.
fn logout(facts: &Facts) -> (Fate, String) {
    let login = &facts.login;
    let told = |fate, why: &str| (fate, why.to_owned());
    match (&facts.service, login.logind) {
        (Service::Launchd, _) => told(
            Fate::Unknown,
            "a session is no part of the login's job, and this build was never tried there",
        ),
        (Service::Systemd(_), true) if login.lingers == Some(true) => {
            told(Fate::LiveOn, "you linger: your user manager stays")
        }
        (Service::Systemd(_), true) => match (login.lingers, login.anchor, login.kills) {
            (None, ..) => told(Fate::Unknown, "logind does not say whether you linger"),
            (Some(_), Some(pid), Some(false)) => (
                Fate::LiveOn,
                format!("an anchor (process {pid}) keeps your login open until the last session ends"),
            ),
            (Some(_), Some(_), None) => {
                told(Fate::Unknown, "an anchor is there, and logind does not say whether it would end it")
            }
            (Some(_), Some(_), Some(true)) => told(
                Fate::End,
                "logind ends what a login leaves behind, the anchor too, and your user manager with it",
            ),
            (Some(_), None, _) => told(
                Fate::End,
                "your user manager ends some seconds after your last login, since you do not linger",
            ),
        },
        (Service::Systemd(_), false) => {
            told(Fate::LiveOn, "no logind is here that would end your user manager")
        }
        (Service::Alone(_), true) if login.session.is_some() => match login.kills {
            Some(true) => {
                told(Fate::End, "logind ends what a login leaves behind, and sessions are part of one")
            }
            Some(false) => told(Fate::LiveOn, "logind leaves alone what a login leaves behind"),
            None => told(Fate::Unknown, "logind does not say whether it ends what a login leaves behind"),
        },
        (Service::Alone(_), _) if facts.machine.container.is_some() => {
            told(Fate::LiveOn, "nothing ends them but the end of the container")
        }
        (Service::Alone(_), _) => told(Fate::LiveOn, "they are part of no login"),
    }
}

fn crash(facts: &Facts) -> (Fate, String) {
    let next = match &facts.service {
        Service::Systemd(_) => "the manager starts it again, and it finds them",
        Service::Launchd | Service::Alone(_) => "the next command starts it again, and it finds them",
    };
    (Fate::LiveOn, format!("none of them hangs on it; {next}"))
}

fn upgrade(facts: &Facts) -> (Fate, String) {
    let why = match &facts.service {
        Service::Systemd(_) => "they depend on no installed file and keep their hosts",
        Service::Launchd | Service::Alone(_) => "they keep the hosts that they were started with",
    };
    (Fate::LiveOn, why.to_owned())
}

fn low_memory(facts: &Facts) -> (Fate, String) {
    let why = match &facts.service {
        Service::Systemd(_) if facts.machine.oomd => {
            "systemd-oomd may end a session's control group as a whole; else the kernel ends one of its processes"
        }
        Service::Systemd(_) | Service::Launchd | Service::Alone(_) => {
            "the kernel may end a session's program, before its host and the supervisor; screen and output stay"
        }
    };
    (Fate::AtRisk, why.to_owned())
}
