mod harness;

fn main() {
    harness::run("hashring");
}
