//! Ring 2: the machine. Processes, files, locks, clocks and signals, and nothing of what they are used for.

pub mod clock;
pub mod confined;
pub mod files;
pub mod lock;
pub mod log_file;
pub mod mounts;
pub mod process;
pub mod seam;
pub mod signal;
pub mod sweep;
pub mod tail;
pub mod viewer;
pub mod watch;
