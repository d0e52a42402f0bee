//! The command line as its users meet it.

mod attach;
mod generated;
mod help;
mod mistakes;
mod output;
mod repeats;
