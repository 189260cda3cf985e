//! Front end 2: the only place that knows ratatui and crossterm. Elm core, see DESIGN.
