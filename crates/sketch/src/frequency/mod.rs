//! How often: counts of items and the most frequent ones.
//!
//! All guarantees are stated with N, the sum of the weights added.
//!
//! | question | sketch |
//! |---|---|
//! | how often was this item added? | [`CountMin`] (never too low), [`CountSketch`] (right on average, subtracts) |
//! | which are the k most frequent? | [`TopK`], which chooses |
//! | ... with bounds that always hold | [`SpaceSaving`] |
//! | ... fastest, on flat streams too, in little memory | [`SetSpaceSaving`] |
//! | how much do the items of a group have together? | [`SetSpaceSaving::unbiased`] |
//! | which have more than a share s, none missed? | [`SpaceSaving::above`], [`LossyCounting`] |
//! | the same, exchanged with Java or C++ | [`FrequentItems`] |
//! | ... as Redis' TOPK has it | [`HeavyKeeper`] |
//! | all counts exactly, memory as it comes | [`Exact`] |

mod add;
mod count_min;
mod count_sketch;
mod counter;
mod dense;
mod exact;
mod frequent_items;
mod heavy_keeper;
mod hitter;
mod index;
mod lossy;
mod set_of_eight;
mod set_space_saving;
mod set_space_saving_wire;
mod space_saving;
mod top_k;

pub use count_min::{CountMin, Layout, Update};
pub use count_sketch::CountSketch;
pub use counter::Counter;
pub use exact::Exact;
pub use frequent_items::FrequentItems;
pub use heavy_keeper::HeavyKeeper;
pub use hitter::Hitter;
pub use lossy::LossyCounting;
pub use set_space_saving::SetSpaceSaving;
pub use space_saving::SpaceSaving;
pub use top_k::{Algorithm, TopK};
