mod harness;

fn main() {
    harness::run("core");
}
