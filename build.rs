//! Lessons, labs and kits are embedded; a file added to them must rebuild the crate.

fn main() {
    for folder in ["lessons", "labs", "assets/kits"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
