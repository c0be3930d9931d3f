//! `--sandbox`: a STDIO server under bubblewrap.

use super::failure::Failure;
use crate::wire::CommandLine;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// Puts bubblewrap in front of a command: files are read-only, `/tmp` is empty and forgotten at
/// the end, there is no network, and nothing outside is seen.
pub(super) fn wrap(command: &mut CommandLine) -> Result<(), Failure> {
    let Some(program) = find("bwrap") else {
        return Err(Failure::Usage(
            "--sandbox needs bubblewrap, and there is no `bwrap` in PATH; install it (on Debian: apt-get install bubblewrap), or leave --sandbox out"
                .to_owned(),
        ));
    };
    let mut args: Vec<String> = [
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--tmpfs",
        "/tmp",
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
    ]
    .map(str::to_owned)
    .to_vec();
    if let Some(cwd) = command.cwd.clone().or_else(|| std::env::current_dir().ok()) {
        let cwd = std::path::absolute(&cwd).unwrap_or(cwd).display().to_string();
        // The server's own folder stays in sight where the places above would hide it.
        args.extend(["--ro-bind".to_owned(), cwd.clone(), cwd.clone(), "--chdir".to_owned(), cwd]);
    }
    args.push("--".to_owned());
    args.push(std::mem::replace(&mut command.program, program.display().to_string()));
    args.append(&mut command.args);
    command.args = args;
    Ok(())
}

fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}
