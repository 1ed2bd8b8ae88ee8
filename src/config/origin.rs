//! Where a value was taken from.

use std::fmt;

use crate::domain::environment::PLUGIN_PREFIX;

/// Where a value was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The user's file.
    File,
    /// A variable of this name.
    Environment(&'static str),
    /// A setting of our plugin in its host.
    Plugin,
    /// The project's file, which made it narrower.
    Project,
    /// The user's file and the project's: each added to a list of what is kept back, or both had to agree.
    FileAndProject,
}

impl Origin {
    /// Returns where a variable's value was taken from.
    fn of_variable(name: &'static str) -> Self {
        if name.starts_with(PLUGIN_PREFIX) {
            Self::Plugin
        } else {
            Self::Environment(name)
        }
    }

    /// Returns whose configuration it is, in words for a sentence.
    pub fn owner(self) -> &'static str {
        match self {
            Self::Default | Self::File | Self::Environment(_) | Self::Plugin => "the user's configuration",
            Self::Project => "the project's `.crosscheck/config.toml`",
            Self::FileAndProject => "the user's configuration or the project's `.crosscheck/config.toml`",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File => out.write_str("file"),
            Self::Environment(name) => write!(out, "environment {name}"),
            Self::Plugin => out.write_str("plugin setting"),
            Self::Project => out.write_str("project"),
            Self::FileAndProject => out.write_str("file and project"),
        }
    }
}

/// A value and where it was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it was taken from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// Takes the outermost layer that says something.
    pub(super) fn pick(default: T, file: Option<T>, environment: Option<(&'static str, T)>) -> Self {
        match (environment, file) {
            (Some((name, value)), _) => Self {
                value,
                origin: Origin::of_variable(name),
            },
            (None, Some(value)) => Self {
                value,
                origin: Origin::File,
            },
            (None, None) => Self {
                value: default,
                origin: Origin::Default,
            },
        }
    }
}

impl<T: Ord> Setting<T> {
    /// Lowers the value to the project's, if that is lower; tells whether it was.
    pub(super) fn lower(&mut self, project: T) -> bool {
        let lower = project < self.value;
        if lower {
            self.value = project;
            self.origin = Origin::Project;
        }
        lower
    }
}

impl Setting<Vec<String>> {
    /// Adds the project's entries to a list of what is kept back.
    pub(super) fn add(&mut self, project: &[String]) {
        if project.is_empty() {
            return;
        }
        self.origin = if self.value.is_empty() {
            Origin::Project
        } else {
            Origin::FileAndProject
        };
        for entry in project {
            if !self.value.contains(entry) {
                self.value.push(entry.clone());
            }
        }
    }
}
