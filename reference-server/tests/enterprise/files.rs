//! The enterprise profile: its files are private, and each is one thing.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mcprove_reference_server::{Enterprise, EnterpriseFiles};
use serde_json::json;

use crate::support::business::{Business, Era, Scratch};

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn refusal(files: &EnterpriseFiles) -> String {
    Enterprise::open(files).unwrap_err().to_string()
}

#[test]
fn files_are_private_and_each_is_one_thing() {
    let (database, audit) = (Scratch::new("private-database"), Scratch::new("private-log"));
    let files = EnterpriseFiles {
        database: Some(database.path()),
        audit: Some(audit.path()),
        ..EnterpriseFiles::default()
    };
    let profile = Enterprise::open(&files).unwrap();
    assert!(profile.warnings().is_empty(), "{:?}", profile.warnings());
    drop(profile);
    assert_eq!((mode(&database), mode(&audit)), (0o600, 0o600));
    let linked = Scratch::new("private-link");
    std::fs::hard_link(&*database, &*linked).unwrap();
    let dotted = database.parent().unwrap().join(".").join(database.file_name().unwrap());
    for other in [database.path(), linked.path(), dotted] {
        let error = refusal(&EnterpriseFiles { audit: Some(other), ..files.clone() });
        assert!(error.contains("it is the database too"), "{error}");
    }
}

#[test]
fn nothing_is_made_on_the_way_to_a_refusal() {
    let database = Scratch::new("refused-database");
    let files = EnterpriseFiles {
        audit: Some(database.path()),
        database: Some(database.path()),
        ..EnterpriseFiles::default()
    };
    assert!(Enterprise::open(&files).is_err() && !database.exists());
    let files = EnterpriseFiles { roles: Some("/dev/null".into()), ..EnterpriseFiles::default() };
    assert!(refusal(&files).contains("no regular file"));
}

#[test]
fn a_log_in_the_place_of_what_the_database_needs_beside_it_is_refused() {
    let database = Scratch::new("beside-database");
    for end in ["-journal", "-wal", "-shm"] {
        let mut beside = database.path().into_os_string();
        beside.push(end);
        let beside = PathBuf::from(beside);
        for (audit, roles) in [(Some(beside.clone()), None), (None, Some(beside.clone()))] {
            let files = EnterpriseFiles {
                database: Some(database.path()),
                audit,
                roles,
                ..EnterpriseFiles::default()
            };
            let error = refusal(&files);
            assert!(error.contains("the database keeps there what it is changing"), "{error}");
        }
        assert!(!beside.exists() && !database.exists());
    }
}

#[test]
fn files_that_others_can_read_or_write_are_told() {
    let (database, audit) = (Scratch::new("open-database"), Scratch::new("open-log"));
    let files = EnterpriseFiles {
        database: Some(database.path()),
        audit: Some(audit.path()),
        ..EnterpriseFiles::default()
    };
    drop(Enterprise::open(&files).unwrap());
    std::fs::set_permissions(&*audit, PermissionsExt::from_mode(0o666)).unwrap();
    let warnings = Enterprise::open(&files).unwrap().warnings().to_vec();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("the audit log") && warnings[0].contains("chmod 600"), "{warnings:?}");
    std::fs::set_permissions(&*database, PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(Enterprise::open(&files).unwrap().warnings().len(), 2);
}

#[test]
fn the_database_of_something_else_is_left_alone() {
    let database = Scratch::new("foreign-database");
    let foreign = rusqlite::Connection::open(&*database).unwrap();
    foreign.execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine')").unwrap();
    let files = EnterpriseFiles { database: Some(database.path()), ..EnterpriseFiles::default() };
    let error = refusal(&files);
    assert!(error.contains("the database of something else"), "{error}");
    let tables: i64 = foreign.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_role_file_that_is_refused_leaves_no_database_behind() {
    let (database, roles) = (Scratch::new("unmade-database"), Scratch::new("bad-roles"));
    std::fs::write(&*roles, "no roles").unwrap();
    let files = EnterpriseFiles {
        database: Some(database.path()),
        roles: Some(roles.path()),
        ..EnterpriseFiles::default()
    };
    assert!(Enterprise::open(&files).is_err() && !database.exists());
    let files = EnterpriseFiles { local_role: Some("nobody".to_owned()), roles: None, ..files };
    assert!(refusal(&files).contains("no role `nobody`") && !database.exists());
}

#[tokio::test]
async fn a_database_that_another_process_holds_is_not_waited_for() {
    let database = Scratch::new("held-database");
    let files = EnterpriseFiles { database: Some(database.path()), ..EnterpriseFiles::default() };
    let business = Business::open(&files, 600).await;
    let token = business.token("sue", "support");
    let call = json!({"name": "order_status", "arguments": {"order": "o-5001"}});
    let asked = async || business.ask(Era::Modern, &token, "tools/call", call.clone()).await;
    let holder = rusqlite::Connection::open(&*database).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let before = Instant::now();
    let said = asked().await;
    assert!(said.text.contains("The database failed"), "{}", said.text);
    // Everybody else waits with whoever asks.
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    holder.execute_batch("COMMIT").unwrap();
    assert!(asked().await.words().contains("paid"));
}

#[test]
fn a_pipe_is_no_database() {
    let files = EnterpriseFiles { database: Some("/dev/null".into()), ..EnterpriseFiles::default() };
    assert!(refusal(&files).contains("no regular file"));
}
