//! Charts for the terminal.
