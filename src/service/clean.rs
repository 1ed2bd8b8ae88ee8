//! Clears away what is idle, kept or empty. A dry run unless told otherwise.
