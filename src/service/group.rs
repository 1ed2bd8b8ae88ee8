//! A group of delegate jobs, told, waited for and ended as one.
