//! A binary that did not install the allocator must not measure nothing and pass.

#[test]
#[should_panic(expected = "is not the #[global_allocator]")]
fn measuring_without_the_allocator_fails() {
    let _ = testkit::alloc::measure(|| vec![1, 2, 3]);
}
