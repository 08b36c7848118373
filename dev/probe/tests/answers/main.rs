//! Real servers, what a probe finds there with each backend, and what it makes of it.

mod addresses;
mod failures;
mod front;
mod starttls;
mod support;
mod timing;
mod verdicts;
