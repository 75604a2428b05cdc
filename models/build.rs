//! Names the C libraries that the engines link: PocketSphinx through pkg-config, and flite, which
//! has no pkg-config file, one by one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    link_pocketsphinx();
    link_flite();
}

/// PocketSphinx 0.8+5prealpha (Debian: `libpocketsphinx-dev`, `libsphinxbase-dev`).
///
/// Named one by one, as the `.pc` file of pocketsphinx also asks for sphinxad (sound cards), which
/// nothing here uses.
fn link_pocketsphinx() {
    for library in ["pocketsphinx", "sphinxbase"] {
        let found = pkg_config::Config::new().cargo_metadata(false).probe(library);
        let found = match found {
            Ok(found) => found,
            Err(why) => panic!(
                "{library} was not found ({why}); install Debian's libpocketsphinx-dev and \
                 libsphinxbase-dev"
            ),
        };
        for path in &found.link_paths {
            println!("cargo:rustc-link-search=native={}", path.display());
        }
        println!("cargo:rustc-link-lib={library}");
    }
}

/// The voices first, then what they stand on, as a linker reads them.
fn link_flite() {
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
