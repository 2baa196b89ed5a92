//! Seeded workloads and the contenders of each area.
