//! The exchange of the program, as far as the loop takes part in it: what is under way comes to its end, while others are
//! served on, and the last step is taken when nothing of this image is needed any more. Whoever connects from there on
//! waits in the socket's queue, and is taken by the next image.

use super::{DRAIN, Engine, Event, Left, Upgrader, upgrade};
use crate::core::id::SessionId;
use crate::supervisor::answer;
use crate::supervisor::input::Input;
use crate::sys::exec;
use std::path::PathBuf;
use std::time::Duration;

/// How long an answer to itself may take: less than the alarm under which the build was executed.
const OWN_ANSWER: Duration = Duration::from_secs(4);

impl Engine {
    /// Has the program exchanged for what is installed, from now on.
    pub(in crate::supervisor) fn set_upgrader(&mut self, upgrader: Upgrader) {
        self.upgrader = Some(upgrader);
    }

    /// Goes through the control socket as a client would; the answer is an input.
    pub(in crate::supervisor) fn ask_itself(&self, socket: PathBuf) {
        let inputs = self.client.inputs.clone();
        tokio::spawn(async move {
            let answer = answer::sessions(&socket, OWN_ANSWER).await;
            // Without an engine nobody needs to know.
            _ = inputs.send(Input::OwnAnswer(answer));
        });
    }

    pub(super) fn heard_itself(&mut self, answer: Result<Vec<SessionId>, String>) {
        match answer {
            Ok(sessions) if self.hands.rehearsal => self.left = Some(Left::Proved(sessions)),
            Ok(sessions) => {
                exec::disarm();
                tracing::info!(
                    sessions = sessions.len(),
                    "this build goes on in the place of the one before"
                );
                let status = self.upgrader.as_ref().map(|u| u.status().clone()).unwrap_or_default();
                let text = format!("abided {} goes on in the same process", crate::VERSION);
                self.handle(Event::Upgrade {
                    status: Box::new(status),
                    tell: Some(("supervisor-upgraded", text)),
                });
            }
            Err(why) => self.left = Some(Left::Deaf(why)),
        }
    }

    pub(super) fn upgrade(&mut self, event: upgrade::Event) {
        let now = self.clock.now();
        let Some(upgrader) = &mut self.upgrader else { return };
        let outcome = upgrader.handle(now.awake_ms, event, &self.hands, &self.fleet);
        for (status, tell) in outcome.tell {
            self.handle(Event::Upgrade { status: Box::new(status), tell });
        }
        if let Some(stamp) = outcome.exchange {
            tracing::info!("the installed build has proved itself; it takes over when nothing is under way");
            self.exchange = Some((stamp, Box::pin(tokio::time::sleep(DRAIN))));
        }
    }

    /// Requests that are still under way are cut off; their clients ask again.
    pub(super) fn patience_is_over(&mut self) {
        if let Some((stamp, _)) = self.exchange.take() {
            self.exchange = Some((stamp, Box::pin(tokio::time::sleep(Duration::ZERO))));
            self.cut_off = true;
        }
    }

    /// Does not return where it comes to the exchange. Some where it is time to leave instead.
    pub(super) async fn exchange_if_quiet(&mut self) -> Option<Left> {
        if self.exchange.is_none() || !(self.cut_off || self.fleet.is_quiet() && self.inputs.is_empty()) {
            return None;
        }
        let (stamp, _) = self.exchange.take()?;
        self.cut_off = false;
        if !self.upgrader.as_ref()?.is_there(stamp) {
            self.upgrade(upgrade::Event::Superseded);
            return None;
        }
        self.finish().await;
        // What came meanwhile would be lost with this image.
        if let Some(asked) = self.hands.leave {
            return Some(if asked { Left::Asked } else { Left::Idle });
        }
        if let Some(signal) = self.pending_signal().await {
            return Some(Left::Signal(signal));
        }
        let why = self.upgrader.as_ref()?.exchange(&self.listener);
        tracing::error!(why, "the installed build cannot be executed; this one serves on");
        self.leaving.send_replace(false);
        self.upgrade(upgrade::Event::NotExchanged(why));
        None
    }

    /// A signal to leave that came and was not looked at yet.
    async fn pending_signal(&mut self) -> Option<&'static str> {
        tokio::select! {
            biased;
            _ = self.signals.terminate.recv() => Some("SIGTERM"),
            _ = self.signals.interrupt.recv() => Some("SIGINT"),
            () = std::future::ready(()) => None,
        }
    }
}
