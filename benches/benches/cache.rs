mod harness;

fn main() {
    harness::run("cache");
}
