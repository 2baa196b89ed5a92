use crate::lattice::Lattice;

macro_rules! extreme {
    ($name:ident, $what:literal, $better:tt) => {
        #[doc = concat!("The ", $what, " value that anybody wrote.")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name<T>(pub(crate) Option<T>);

        impl<T: Ord + Clone> $name<T> {
            /// No value yet.
            #[must_use]
            pub const fn new() -> Self {
                Self(None)
            }

            /// Writes `value`, which counts if it is better; the delta.
            #[must_use = "the delta is what other replicas need"]
            pub fn write(&mut self, value: T) -> Self {
                let written = Self(Some(value));
                if self.merge(&written) { written } else { Self(None) }
            }

            /// The value, if there is one.
            #[must_use]
            pub const fn get(&self) -> Option<&T> {
                self.0.as_ref()
            }
        }

        impl<T: Ord + Clone> Lattice for $name<T> {
            fn merge(&mut self, other: &Self) -> bool {
                let better = match (&self.0, &other.0) {
                    (_, None) => false,
                    (None, Some(_)) => true,
                    (Some(ours), Some(theirs)) => theirs $better ours,
                };
                if better {
                    self.0.clone_from(&other.0);
                }
                better
            }
        }
    };
}

extreme!(MaxRegister, "greatest", >);
extreme!(MinRegister, "least", <);
