//! Finds the C libraries that the engines link, through pkg-config.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    link_pocketsphinx();
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
