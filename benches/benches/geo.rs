mod harness;

fn main() {
    harness::run("geo");
}
