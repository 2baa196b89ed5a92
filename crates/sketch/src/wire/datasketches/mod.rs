//! Apache DataSketches: the layouts that Java, C++, Druid, Spark and others write.
//!
//! Frequent Items (family 10) and Count-Min (family 18). The distinct counters have theirs in
//! `distinct`, the sketches of ranks in `quantiles`.

#[cfg(feature = "frequency")]
mod count_min;
#[cfg(feature = "frequency")]
mod frequent_items;

#[cfg(feature = "frequency")]
pub use count_min::DsCountMin;
#[cfg(feature = "frequency")]
pub use frequent_items::DsItem;
