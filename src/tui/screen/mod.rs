//! One file a screen: its state, what its keys do, how it is drawn.

pub mod check;
mod check_view;
pub mod console;
pub mod home;
pub mod lab;
mod lab_view;
pub mod lesson;
mod task;
