//! The policies by name.

use super::{Outcome, Trace, run_policy};
use crate::policy::{self, Policy};

macro_rules! kinds {
    ($($kind:ident: $policy:ty, $about:literal;)*) => {
        /// A policy of this crate, to choose at run time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $(#[doc = $about] $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// What it is called in tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => <$policy as Policy>::NAME,)*
                }
            }

            pub(super) fn run(self, trace: &Trace, capacity: u64) -> Outcome {
                match self {
                    $(Self::$kind => run_policy::<$policy>(trace, capacity),)*
                }
            }
        }
    };
}

kinds! {
    Adaptive: policy::Adaptive, "[`policy::Adaptive`], the default.";
    S3Fifo: policy::S3Fifo, "[`policy::S3Fifo`].";
    Sieve: policy::Sieve, "[`policy::Sieve`].";
    Clock: policy::Clock, "[`policy::Clock`].";
    Lru: policy::Lru, "[`policy::Lru`].";
    Lfu: policy::Lfu, "[`policy::Lfu`].";
    Fifo: policy::Fifo, "[`policy::Fifo`].";
    TwoQueue: policy::TwoQueue, "[`policy::TwoQueue`].";
    Arc: policy::Arc, "[`policy::Arc`].";
    Lirs: policy::Lirs, "[`policy::Lirs`].";
    WTinyLfu: policy::WTinyLfu, "[`policy::WTinyLfu`].";
}

impl Kind {
    /// The policy of a name as in tables, upper or lower case, with or without hyphens.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = |name: &str| {
            name.bytes()
                .filter(u8::is_ascii_alphanumeric)
                .map(|byte| byte.to_ascii_lowercase())
                .collect::<alloc::vec::Vec<u8>>()
        };
        Self::ALL.iter().copied().find(|kind| plain(kind.name()) == plain(name))
    }
}
