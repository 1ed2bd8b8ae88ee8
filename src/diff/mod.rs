//! Ring 1, pure: diffs as values.
//!
//! A patch is read from git's bytes once; after that its files, hunks and lines are counted, rendered for a prompt and
//! searched for the places that findings point at. Nothing here runs git or touches a file.

pub mod patch;
pub mod sent;

mod header;
pub mod parse;

pub mod added;

pub mod text;

pub mod bytes;
pub mod count;

pub mod largest;

pub mod render;

pub mod attributes;
pub mod cut;
pub mod generated;
pub mod listing;
pub mod measure;
pub mod narrow;
pub mod parts;
pub mod symbols;

pub mod anchor;
mod evidence;

pub mod track;

pub mod merge;
pub mod origin;

pub mod seen;

pub mod excerpt;
