//! `mcprove serve`: the reference server, or a recorded one.

use super::args::{ProfileArg, ServeArgs};
use super::failure::Failure;
use crate::mock::{Part, Stage, serve_http as serve_stage, serve_stdio as serve_part};
use crate::protocol::Transport;
use crate::transcript::TranscriptReader;
use mcprove_reference_server::{Config, FaultId, Server, serve_http_until, serve_stdio};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};

/// How long a recorded server waits for a client that is to answer something.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn serve(args: &ServeArgs) -> Result<u8, Failure> {
    if let Some(file) = &args.from {
        return serve_recording(file, args.http);
    }
    // On stdio the one client is the user who started the process, so there is nobody to protect a cursor from; a
    // fixed secret lets cursors and request states outlive the process (2026-07-28, basic/index#statelessness).
    let secret = args.http.is_none().then_some([0; 32]);
    let faults = args.fault.iter().map(|id| id.parse()).collect::<Result<Vec<FaultId>, _>>();
    let faults = faults.map_err(Failure::usage)?;
    let page_size = args.page_size.map(usize::from);
    let ServeArgs { chaos, delay, stall, .. } = *args;
    let allowed_hosts = args.allow_host.clone();
    let config =
        Config { secret, faults, page_size, chaos, delay, stall, allowed_hosts, ..Config::default() };
    let config = Config { buggy: args.profile == Some(ProfileArg::Buggy), ..config };
    #[cfg(feature = "enterprise")]
    let config = with_profile(config, args)?;
    // Nothing that a request does takes long, so one thread serves all faster than several that wake each other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::bug)?;
    let result = runtime.block_on(async {
        let cannot_serve = |error: io::Error| Failure::bug(format!("cannot serve: {error}"));
        let Some(address) = args.http else {
            return serve_stdio(Server::new(config)).await.map_err(cannot_serve);
        };
        let cannot_listen = |error: io::Error| Failure::usage(format!("cannot listen at {address}: {error}"));
        let listener = listen(address).map_err(cannot_listen)?;
        let bound = listener.local_addr().map_err(Failure::bug)?;
        #[cfg(feature = "enterprise")]
        let config = super::serve_authorization::authorized(config, args, bound)?;
        let _ = io::Write::write_all(
            &mut io::stderr(),
            format!("mcprove serves MCP at http://{bound}/mcp\n").as_bytes(),
        );
        raise_descriptor_limit();
        let shutdown = told_to_end().map_err(Failure::bug)?;
        serve_http_until(Server::new(config), listener, shutdown).await.map_err(cannot_serve)
    });
    runtime.shutdown_background();
    result.map(|()| 0)
}

/// Answers as a recorded server did.
fn serve_recording(file: &Path, http: Option<SocketAddr>) -> Result<u8, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let reader = TranscriptReader::open(file).map_err(|error| unreadable(&error))?;
    if http.is_some() && reader.about().transport == Transport::HttpSse {
        let text = "a conversation over HTTP+SSE is served over STDIO only: leave out --http";
        return Err(unreadable(&text));
    }
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let part = Part::read(reader, &format!("the recording {name}")).map_err(|error| unreadable(&error))?;
    let part = Arc::new(part);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::bug)?;
    let result = runtime.block_on(async {
        let Some(address) = http else {
            let served = serve_part(part, PATIENCE).await;
            return served.map_err(|error| Failure::bug(format!("cannot serve: {error}")));
        };
        let cannot_listen = |error: io::Error| Failure::usage(format!("cannot listen at {address}: {error}"));
        let listener = listen(address).map_err(cannot_listen)?;
        let bound = listener.local_addr().map_err(Failure::bug)?;
        let stage = Arc::new(Stage::new(part, PATIENCE, bound.ip().is_loopback()));
        let said = format!("mcprove serves {} at http://{bound}{}\n", file.display(), stage.path());
        let _ = io::Write::write_all(&mut io::stderr(), said.as_bytes());
        serve_stage(stage, listener, told_to_end().map_err(Failure::bug)?).await;
        Ok(())
    });
    runtime.shutdown_background();
    result.map(|()| 0)
}

/// With the profile that is asked for.
#[cfg(feature = "enterprise")]
fn with_profile(config: Config, args: &ServeArgs) -> Result<Config, Failure> {
    use mcprove_reference_server::{Enterprise, EnterpriseFiles};
    let Some(ProfileArg::Enterprise) = args.profile else {
        if args.database.is_some() || args.audit.is_some() || args.profile.is_some() && args.roles.is_some() {
            return Err(Failure::usage("--database, --audit and --roles are flags of --profile enterprise"));
        }
        if args.role.is_some() {
            warn("--role (MCPROVE_ROLE) has no effect without --profile enterprise");
        }
        return Ok(config);
    };
    if let (Some(role), Some(_)) = (&args.role, &args.http) {
        let text = format!(
            "--role (MCPROVE_ROLE) is the role of the client over STDIO, and with --http the role is a matter of the \
             token: leave `{role}` out, and name it in the claim `roles` of the tokens, or in a [[token]] of --roles"
        );
        return Err(Failure::usage(text));
    }
    let files = EnterpriseFiles {
        database: args.database.clone(),
        audit: args.audit.clone(),
        roles: args.roles.clone(),
        local_role: args.role.clone(),
    };
    let profile = Enterprise::open(&files).map_err(Failure::usage)?;
    let torn = profile.torn_bytes();
    if torn > 0 {
        warn(&format!("the audit log ended with {torn} bytes of a torn record, which are no record"));
    }
    profile.warnings().iter().for_each(|warning| warn(warning));
    Ok(Config { enterprise: Some(profile.into()), ..config })
}

/// Says something on standard error that does not keep the server from serving.
#[cfg(feature = "enterprise")]
pub(super) fn warn(text: &str) {
    let _ = io::Write::write_all(&mut io::stderr(), format!("mcprove: {text}\n").as_bytes());
}

/// Ends when the process is told to end.
#[cfg(unix)]
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ends when the process is told to end.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Listens with room for a burst of clients: who finds none tries again only after a second.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    const BURST: u32 = 4096;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BURST)
}

/// Lets the process have as many connections as the system allows; where it does not, the server closes idle ones.
fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
