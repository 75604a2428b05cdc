//! The files of recordings and of inputs, as the writing thread uses them.
//!
//! Behind a trait, so that tests can fail and count what a real disk does. Absent: the spool's own
//! files (`spool`), which have tests of their own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Where such files are made.
pub(super) trait Disk: Send {
    /// Makes an empty file, and its folder where that is not there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Deletes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Brings the names in a folder to the disk itself.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// One such file.
pub(super) trait DiskFile: Send {
    /// Writes at a place; what lies between the end and that place becomes zeros.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Brings what is written to the disk itself.
    fn sync(&mut self) -> io::Result<()>;
    /// Whether the file still has this path: what is written to one that has none is lost.
    fn is_at(&self, path: &Path) -> bool;
}

/// The disk itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

impl DiskFile for File {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn is_at(&self, path: &Path) -> bool {
        is_at(self, path)
    }
}

/// Whether an open file is the one that a path names.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
    let (open, named) = (file.metadata().map(identity), fs::metadata(path).map(identity));
    matches!((open, named), (Ok(open), Ok(named)) if open == named)
}
