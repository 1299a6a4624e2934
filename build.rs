//! Tells cargo that the binary embeds the migrations.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
