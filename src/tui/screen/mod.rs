//! One file a screen: its state, what its keys do, how it is drawn.

pub mod answer;
pub mod check;
mod check_view;
pub mod console;
mod console_view;
pub mod home;
pub mod lab;
mod lab_charts;
mod lab_results;
mod lab_view;
pub mod lesson;
mod task;
