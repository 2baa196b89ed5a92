//! What the tests of Archstone share.
