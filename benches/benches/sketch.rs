mod harness;

fn main() {
    harness::run("sketch");
}
