//! The screen of a session against a terminal of somebody else's making: tmux.

mod repaint;
mod twin;
