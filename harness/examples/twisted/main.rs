//! A STDIO server that is the reference server but for one twist: `twisted NAME`. Without a name it lists the twists.
//! The tests in `tests/twisted` demand that each twist is found.

mod server;

fn main() -> std::process::ExitCode {
    let name = std::env::args().nth(1);
    match name.as_deref().map(server::run) {
        Some(Some(code)) => code,
        unknown => {
            for twist in server::all() {
                eprintln!("{:32} {}", twist.name, twist.about);
            }
            std::process::ExitCode::from(if unknown.is_some() { 2 } else { 0 })
        }
    }
}
