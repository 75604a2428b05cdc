//! The database's file, and the connections to it.
//!
//! The file may be deleted, replaced or damaged while we run: connections to a file that has no
//! name any more write into nothing, and one of them would delete the log of the file that came
//! after. So all are closed before another is opened. Absent: what is written (`projection`).

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// How every file of SQLite begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// What SQLite says of a file that is damaged, or is none of its own.
const DAMAGED_CODES: [i32; 2] = [11, 26];
/// What SQLite says where another connection writes.
const LOCKED_CODES: [i32; 2] = [5, 6];
/// How long connections that are in use may take to be given back.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// It is another one, or none.
    Gone,
    /// It is no database any more.
    Damaged,
}

/// The database's file, and the connections to it; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Database(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    pool: RwLock<SqlitePool>,
    /// Device and number of the file that the connections are to.
    opened: Mutex<Option<(u64, u64)>>,
}

impl Database {
    /// Opens nothing yet.
    pub(super) fn new(folder: &Path) -> Self {
        let path = file(folder);
        let pool = RwLock::new(connect(&path));
        Self(Arc::new(Inner { path, pool, opened: Mutex::default() }))
    }

    /// The connections, as long as the file is the same.
    pub(super) fn pool(&self) -> SqlitePool {
        self.0.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the file that the connections are to.
    pub(super) fn remember(&self) {
        *self.0.opened.lock().unwrap_or_else(PoisonError::into_inner) = identity(&self.0.path);
    }

    /// Whether the remembered file was lost. Looks at the disk: not for the control runtime.
    pub(super) fn loss(&self) -> Option<Loss> {
        let opened = *self.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if identity(&self.0.path) != opened {
            return Some(Loss::Gone);
        }
        let mut head = [0; MAGIC.len()];
        let read = File::open(&self.0.path).and_then(|mut file| file.read_exact(&mut head));
        (read.is_ok() && head != *MAGIC).then_some(Loss::Damaged)
    }

    /// Closes every connection, sets a damaged file aside (one, the last), and opens anew.
    pub(super) async fn renew(&self, loss: Loss) {
        if tokio::time::timeout(CLOSED_WITHIN, self.pool().close()).await.is_err() {
            tracing::warn!("connections to the database are not given back");
        }
        if loss == Loss::Damaged {
            match set_aside(&self.0.path) {
                Ok(aside) => tracing::error!(
                    aside = %aside.display(),
                    "the database is damaged and set aside; another is made from the spool, which \
                     may not have the oldest calls"
                ),
                Err(error) => tracing::error!(%error, "the damaged database cannot be set aside"),
            }
        }
        let mut pool = self.0.pool.write().unwrap_or_else(PoisonError::into_inner);
        *pool = connect(&self.0.path);
    }

    /// Where a damaged database is set aside.
    pub(super) fn aside(&self) -> PathBuf {
        aside(&self.0.path)
    }
}

/// Connections that only read, beside whoever writes.
pub(super) fn read_only(folder: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(file(folder))
        .read_only(true)
        .busy_timeout(Duration::from_secs(2));
    SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options)
}

fn file(folder: &Path) -> PathBuf {
    folder.join("cordboard.sqlite")
}

/// Whether SQLite says that the file is damaged, or is none of its own.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| DAMAGED_CODES.contains(&code))
}

/// Whether somebody else writes, or all connections are taken: it passes by itself.
pub(super) fn is_lock(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::PoolTimedOut)
        || code(error).is_some_and(|code| LOCKED_CODES.contains(&code))
}

fn code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?.parse::<i32>().ok()?;
    // The lower byte is the code, the rest of it the details.
    Some(code & 0xff)
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("sqlite.damaged")
}

fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = aside(path);
    fs::rename(path, &aside)?;
    for suffix in ["sqlite-wal", "sqlite-shm"] {
        match fs::remove_file(path.with_extension(suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(aside)
}

fn connect(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        // What is deleted is overwritten: retention would be a word only, else.
        .pragma("secure_delete", "on")
        .busy_timeout(Duration::from_secs(2));
    SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(3))
        .connect_lazy_with(options)
}
