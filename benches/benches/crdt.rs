mod harness;

fn main() {
    harness::run("crdt");
}
