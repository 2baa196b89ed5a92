//! The contract of the reference designs, implemented once.
