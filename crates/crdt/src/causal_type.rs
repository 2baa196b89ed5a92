//! What every type over a [`Causal`](crate::dots::Causal) has.

/// `Lattice`, `Delta`, `Default`, equality and the context of a newtype around a `Causal`.
macro_rules! causal_type {
    ($name:ident<$($param:ident: $($bound:path),+);*> over $store:ty) => {
        impl<$($param: $($bound +)+),*> $name<$($param),*> {
            /// As at the beginning of time.
            #[must_use]
            pub fn new() -> Self {
                Self($crate::dots::Causal::default())
            }

            /// The events that were seen.
            #[must_use]
            pub const fn context(&self) -> &$crate::clock::CausalContext {
                &self.0.context
            }

            /// Whether it is as at the beginning: a delta with nothing to send.
            #[must_use]
            pub fn is_bottom(&self) -> bool {
                self.0.context.is_empty()
            }
        }

        impl<$($param: $($bound +)+),*> Default for $name<$($param),*> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<$($param: $($bound +)+),*> $crate::Lattice for $name<$($param),*> {
            fn merge(&mut self, other: &Self) -> bool {
                self.0.merge(&other.0)
            }

            fn includes(&self, other: &Self) -> bool {
                self.0.includes(&other.0)
            }
        }

        impl<$($param: $($bound +)+),*> $crate::Delta for $name<$($param),*> {
            type Version = $crate::clock::CausalContext;

            fn version(&self) -> $crate::clock::CausalContext {
                self.0.version()
            }

            fn delta_since(&self, seen: &$crate::clock::CausalContext) -> Self {
                Self(self.0.delta_since(seen))
            }
        }
    };
}
pub(crate) use causal_type;
