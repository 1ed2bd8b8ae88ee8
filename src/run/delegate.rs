//! The delegate's part of a run: the worktree before the peer, and what is in it afterwards.
