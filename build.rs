//! Has the crate built anew where the web pages were: they are carried in the binary.

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
}
