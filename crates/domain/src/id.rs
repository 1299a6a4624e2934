//! Identities. A private field keeps an image's number from being taken for a job's.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// Wraps a number that the database gave out, or that a caller names.
            #[must_use]
            pub const fn new(number: i64) -> Self {
                Self(number)
            }

            /// The number as the database holds it.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// An uploaded image, as callers name it in `/api/images/{id}`.
    ImageId
}
id! {
    /// One job; a retry asked for by a caller is a new job, a retry after a transient failure is not.
    JobId
}
id! {
    /// One call to a captioner, as it is counted.
    CallId
}
id! {
    /// The place of an event among all events; they are numbered from 1.
    EventId
}

impl EventId {
    /// Before the first event.
    pub const BEFORE_ALL: Self = Self(0);
}
