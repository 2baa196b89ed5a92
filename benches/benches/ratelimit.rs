mod harness;

fn main() {
    harness::run("ratelimit");
}
