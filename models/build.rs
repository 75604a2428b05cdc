//! Names the C libraries that the engines link.
//!
//! Debian's flite ships no pkg-config file, so its libraries are named here one by one. Building
//! needs the package `flite1-dev`; `make demo` installs it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    flite();
}

/// The voices first, then what they stand on, as a linker reads them.
fn flite() {
    const LIBRARIES: [&str; 7] = [
        "flite_cmu_us_slt",
        "flite_cmu_us_rms",
        "flite_cmu_us_awb",
        "flite_cmu_us_kal16",
        "flite_usenglish",
        "flite_cmulex",
        "flite",
    ];
    if !std::path::Path::new("/usr/include/flite/flite.h").exists() {
        println!("cargo:warning=flite's headers are not there: apt-get install flite1-dev");
    }
    for library in LIBRARIES {
        println!("cargo:rustc-link-lib=dylib={library}");
    }
}
