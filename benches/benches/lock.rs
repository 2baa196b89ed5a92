mod harness;

fn main() {
    harness::run("lock");
}
