//! `mcprove inspect`: what a server is and offers, at a glance.

use super::args::{InspectArgs, OutputFormat};
use super::failure::Failure;
use super::options;
use super::out;
use super::session::heed_signals;
use crate::check::{self, Argument, Inspection, Offers, Stop, Tool};
use crate::protocol::Transport;
use crate::report::{visible, wrap};
use anstyle::{AnsiColor, Style};
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// Columns of a name.
const NAME: usize = 120;
/// Columns of a text.
const PROSE: usize = 400;
/// Entries shown of one list.
const SHOWN: usize = 200;

pub(super) fn inspect(args: &InspectArgs) -> Result<u8, Failure> {
    let stop = Stop::default();
    let (target, config) = options::inspection(args, &stop)?;
    let runtime = out::runtime()?;
    let inspection = {
        let _inside = runtime.enter();
        heed_signals(&stop)?;
        runtime.block_on(check::inspect(&target, config))
    };
    runtime.shutdown_timeout(Duration::from_millis(200));
    match args.shared.output_format {
        OutputFormat::Json => out::print_json(&inspection)?,
        OutputFormat::Text => out::print(&draw(&inspection))?,
    }
    let Some(error) = &inspection.error else { return Ok(0) };
    let text: String = error.message.lines().map(|line| visible(line, 4000) + "\n").collect();
    let _ = write!(std::io::stderr(), "mcprove: {text}");
    Ok(error.code)
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const MARK: Style = AnsiColor::Yellow.on_default();

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

fn draw(inspection: &Inspection) -> String {
    let mut page = Page { text: String::new() };
    let target = &inspection.target;
    page.line(&format!("{}  {}", paint(BOLD, "mcprove inspect"), visible(&target.display, NAME)));
    if let Some(server) = &target.server_info {
        page.line("");
        let version = visible(&server.version, 40);
        page.entry("server", &format!("{} {version}", visible(&server.name, NAME)));
    }
    for spoken in &inspection.transports {
        let revisions: Vec<&str> =
            spoken.revisions.iter().map(|revision| revision.revision.as_str()).collect();
        let revisions = if revisions.is_empty() { "no revision".to_owned() } else { revisions.join(", ") };
        page.entry(
            spoken.transport.as_str(),
            &format!("{revisions}, first answer after {} ms", spoken.startup_millis),
        );
    }
    // What is the same in several places is shown once.
    let mut declared: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let mut instructions: Vec<&str> = Vec::new();
    let mut offered: Vec<(Vec<Transport>, &Offers)> = Vec::new();
    for spoken in &inspection.transports {
        for revision in &spoken.revisions {
            let features = features(&revision.capabilities);
            let place = format!("{} {}", spoken.transport, revision.revision);
            match declared.iter_mut().find(|(_, known)| *known == features) {
                Some((places, _)) => places.push(place),
                None => declared.push((vec![place], features)),
            }
            instructions.extend(revision.instructions.as_deref());
        }
        if let Some(offers) = &spoken.offers {
            let same = |known: &Offers| serde_json::to_value(known).ok() == serde_json::to_value(offers).ok();
            match offered.iter_mut().find(|(_, known)| same(known)) {
                Some((places, _)) => places.push(spoken.transport),
                None => offered.push((vec![spoken.transport], offers)),
            }
        }
    }
    if !declared.is_empty() {
        page.title("Capabilities");
    }
    for (places, features) in declared {
        let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
        page.prose(2, &features, Style::new());
        page.prose(4, &format!("declared over {}", places.join(", ")), DIM);
    }
    instructions.dedup();
    for text in instructions {
        page.title("Instructions");
        page.prose(2, text, Style::new());
    }
    for (transports, offers) in offered {
        let places: Vec<&str> = transports.into_iter().map(Transport::as_str).collect();
        page.offers(offers, &places.join(", "));
    }
    page.text
}

/// The names of capabilities that are declared: `tools.listChanged`.
fn features(capabilities: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for (name, value) in capabilities.as_object().into_iter().flatten().take(100) {
        let members = value.as_object().into_iter().flatten().take(100);
        let inner: Vec<&str> = members
            .filter(|(_, value)| !value.is_null() && **value != Value::Bool(false))
            .map(|(inner, _)| inner.as_str())
            .collect();
        names.push(if inner.is_empty() { name.clone() } else { format!("{name} ({})", inner.join(", ")) });
    }
    names
}

struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn entry(&mut self, label: &str, text: &str) {
        self.line(&format!("  {} {}", paint(DIM, &format!("{label:<9}")), visible(text, PROSE)));
    }

    fn title(&mut self, text: &str) {
        self.line("");
        self.line(&paint(BOLD, text));
    }

    fn prose(&mut self, indent: usize, text: &str, style: Style) {
        for line in wrap(&visible(text, PROSE), width() - indent) {
            self.line(&format!("{:indent$}{}", "", paint(style, &line)));
        }
    }

    fn list<T>(
        &mut self,
        title: &str,
        place: &str,
        list: Option<&Vec<T>>,
        mut show: impl FnMut(&mut Self, &T),
    ) {
        let Some(list) = list else { return };
        self.title(&format!("{title} ({}), {place}", list.len()));
        for item in list.iter().take(SHOWN) {
            show(self, item);
        }
        if list.len() > SHOWN {
            self.line(&paint(DIM, &format!("  … and {} more", list.len() - SHOWN)));
        }
    }

    fn offers(&mut self, offers: &Offers, transports: &str) {
        let place = format!("in {} over {transports}", offers.revision);
        self.list("Tools", &place, offers.tools.as_ref(), Self::tool);
        for (title, list) in
            [("Resources", &offers.resources), ("Resource templates", &offers.resource_templates)]
        {
            self.list(title, &place, list.as_ref(), |page, entry| {
                let kind = entry.mime_type.as_ref().map(|kind| format!("  {}", visible(kind, 60)));
                let name = paint(DIM, &visible(&entry.name, NAME));
                let uri = paint(BOLD, &visible(&entry.uri, NAME));
                page.line(&format!("  {uri}  {name}{}", kind.unwrap_or_default()));
            });
        }
        self.list("Prompts", &place, offers.prompts.as_ref(), |page, prompt| {
            page.named(&prompt.name, &prompt.arguments, "");
            if let Some(text) = &prompt.description {
                page.prose(4, text, DIM);
            }
        });
    }

    fn tool(&mut self, tool: &Tool) {
        let hints: Vec<String> = tool
            .annotations
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| name.ends_with("Hint") && value.is_boolean())
            .map(|(name, value)| {
                format!("{}{}", if *value == Value::Bool(true) { "" } else { "not " }, words(name))
            })
            .collect();
        self.named(&tool.name, &tool.arguments, &hints.join(", "));
        if let Some(text) = tool.description.as_ref().or(tool.title.as_ref()) {
            self.prose(4, text, DIM);
        }
    }

    /// `name(argument: type, optional?: type)  hints`.
    fn named(&mut self, name: &str, arguments: &[Argument], hints: &str) {
        let arguments: Vec<String> = arguments
            .iter()
            .take(100)
            .map(|argument| {
                let kind = argument.kind.as_ref().map(|kind| format!(": {kind}"));
                let optional = if argument.required { "" } else { "?" };
                format!("{}{optional}{}", argument.name, kind.unwrap_or_default())
            })
            .collect();
        let hints = if hints.is_empty() {
            String::new()
        } else {
            format!("  {}", paint(MARK, &visible(hints, NAME)))
        };
        let arguments = visible(&arguments.join(", "), PROSE);
        self.line(&format!("  {}({arguments}){hints}", paint(BOLD, &visible(name, NAME))));
    }
}

/// `readOnlyHint` as `read only`.
fn words(name: &str) -> String {
    let mut text = String::new();
    for c in name.trim_end_matches("Hint").chars() {
        if c.is_uppercase() {
            text.push(' ');
        }
        text.extend(c.to_lowercase());
    }
    text
}

/// Columns of the terminal.
pub(super) fn width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_usize).clamp(60, 160)
}
