//! Faults of the enterprise profile: those that a check finds, by the area of what they break, and those that only the tests
//! of this crate can judge ([`WITHIN`]), because no client sees them or no requirement is about them.

use crate::enterprise::Place;
use crate::faults::Duty;
use crate::faults::fault::{ANY, Fault, HTTP, MODERN, SINCE_2025_06, STDIO, fault};
use crate::faults::hook::Hook::Neglect;

/// The profile in the way in which a check sees most of it.
const PROFILE: &[&str] = &["--profile", "enterprise"];

pub(super) const LOGGING: &[Fault] = &[
    fault(
    "logging.sensitive-removed/unmasked",
    "The log messages of the enterprise profile hold the record with the fields that the role is to see masked.",
    &[Neglect(Duty::FieldsMasked(Place::Log))],
)
.also_seen(&["logging.no-personal-data"])
.warning_in(ANY)
.over(HTTP)
.where_served(PROFILE),
fault(
    "logging.no-personal-data/record",
    "The log messages of the enterprise profile hold the record as the role sees it, e-mail address and all.",
    &[Neglect(Duty::RecordsStayOutOfLogs)],
)
.breaking(&["logging.sensitive-removed"])
.warning_in(ANY)
.over(STDIO)
.where_served(&["--profile", "enterprise", "--role", "manager"]),
];

pub(super) const CACHING: &[Fault] = &[fault(
    "caching.public.shared-aware/records",
    "What a role sees in the enterprise profile is marked as good for everybody.",
    &[Neglect(Duty::ResultsPrivate)],
)
.also_seen(&["caching.public.no-user-data"])
.within(MODERN)
.warning_in(MODERN)
.over(HTTP)
.where_served(&["--profile", "enterprise"])];

pub(super) const TOOLS: &[Fault] = &[
    fault(
        "tools.call.access-control/masked-in-text-only",
        "Fields that a role sees masked are masked in the text of tool results, and raw in their structured content.",
        &[Neglect(Duty::FieldsMasked(Place::Structured))],
    )
    .within(SINCE_2025_06)
    .also_seen(&["tools.structured.text-copy"])
    .warning_in(ANY)
    .over(HTTP)
    .where_served(PROFILE),
    fault(
        "tools.call.access-control/masked-in-structure-only",
        "Fields that a role sees masked are masked in the structured content of tool results, and raw in their text.",
        &[Neglect(Duty::FieldsMasked(Place::ToolText))],
    )
    .also_seen(&["tools.structured.text-copy"])
    .warning_in(ANY)
    .over(HTTP)
    .where_served(PROFILE),
    fault(
    "tools.call.access-control/unlisted",
    "A role of the enterprise profile lists its own tools only, and calls those of every role.",
    &[Neglect(Duty::RoleChecked)],
)
.breaking(&["resources.read.access-control"])
.warning_in(ANY)
.over(HTTP)
.where_served(&["--profile", "enterprise"]),
];

pub(super) const RESOURCES: &[Fault] = &[
    fault(
        "resources.read.access-control/unmasked",
        "Fields that a role sees masked in the results of tools are raw in resources.",
        &[Neglect(Duty::FieldsMasked(Place::Resource))],
    )
    .warning_in(ANY)
    .over(HTTP)
    .where_served(PROFILE),
    fault(
        "resources.read.access-control/subscribed",
        "Anybody can subscribe to any resource, and is told of its changes.",
        &[Neglect(Duty::ChangesOfOwnView), Neglect(Duty::SubscriptionsOfOwnView)],
    )
    .warning_in(ANY)
    .over(HTTP)
    .where_served(PROFILE),
];

pub(super) const COMPLETION: &[Fault] = &[fault(
    "completion.access-controlled/unmasked",
    "Completions name records by their fields, also those that the role is to see masked.",
    &[Neglect(Duty::FieldsMasked(Place::Completion))],
)
.warning_in(ANY)
.over(HTTP)
.where_served(PROFILE)];

/// What only the tests of this crate can judge.
pub(super) const WITHIN: &[Fault] = &[
    fault(
        "enterprise.roles/strangers-see-all",
        "Who brings no role that is known has the one with most tools.",
        &[Neglect(Duty::StrangersHaveTheLeast)],
    )
    .judged_by("access::a_token_without_a_known_role_gets_the_least"),
    fault(
        "enterprise.roles/told-apart",
        "A tool of another role is refused with other words than one that does not exist.",
        &[Neglect(Duty::HiddenLooksMissing)],
    )
    .judged_by("access::what_is_not_for_a_role_looks_like_what_does_not_exist"),
    fault(
        "enterprise.roles/cursor-of-another",
        "The cursor of one principal leads another into a list of theirs.",
        &[Neglect(Duty::CursorBound)],
    )
    .judged_by("access::cursors_sessions_and_answers_belong_to_one_principal_in_one_role"),
    fault(
        "enterprise.roles/changes-behind-the-mask",
        "Listeners are told of a change of fields that their role does not see.",
        &[Neglect(Duty::ChangesOfOwnView)],
    )
    .judged_by("changes::what_a_role_does_not_see_change_it_is_not_told_of"),
    fault(
        "enterprise.masking/prompts",
        "Prompts embed the record with the fields that the role is to see masked.",
        &[Neglect(Duty::FieldsMasked(Place::Prompt))],
    )
    .judged_by("masking::a_prompt_embeds_what_the_role_sees"),
    fault(
        "enterprise.masking/stand-ins",
        "Bank details that a role is to see as stand-ins it sees as they are.",
        &[Neglect(Duty::StandInsShown)],
    )
    .judged_by("hygiene::stand_ins_are_stable_and_tell_nothing"),
    fault(
        "enterprise.audit/refused-unrecorded",
        "Calls that are refused leave no record.",
        &[Neglect(Duty::RefusalsAudited)],
    )
    .judged_by("audit::every_call_read_and_prompt_leaves_a_record"),
    fault(
        "enterprise.audit/after-the-answer",
        "The record is written when the answer has left.",
        &[Neglect(Duty::AuditedFirst)],
    )
    .judged_by("audit::every_call_read_and_prompt_leaves_a_record"),
    fault(
        "enterprise.audit/kept-back",
        "Records wait in the memory of the server until there are more of them.",
        &[Neglect(Duty::AuditFlushed)],
    )
    .judged_by("audit::every_call_read_and_prompt_leaves_a_record"),
    fault(
        "enterprise.audit/in-clear",
        "Parameters stand in the log as they came.",
        &[Neglect(Duty::AuditMasked)],
    )
    .judged_by("audit::what_a_client_sent_is_not_in_the_log_unless_the_server_has_the_word_too"),
    fault("enterprise.audit/nobody", "Records do not say who it was.", &[Neglect(Duty::AuditNamesPrincipal)])
        .judged_by("audit::every_call_read_and_prompt_leaves_a_record"),
    fault(
        "enterprise.audit/without-sums",
        "Records have no checksum, so that a torn one passes for whole.",
        &[Neglect(Duty::AuditChecksummed)],
    )
    .judged_by("audit::every_call_read_and_prompt_leaves_a_record"),
    fault(
        "enterprise.audit/unannounced",
        "What changes a record is not announced before it is done.",
        &[Neglect(Duty::ChangesAnnounced)],
    )
    .judged_by("audit::what_changes_a_record_is_announced_first"),
    fault(
        "enterprise.approval/unasked",
        "Refunds and deletions are done without asking.",
        &[Neglect(Duty::ApprovalAsked)],
    )
    .judged_by("approval::modern_whatever_is_no_yes_does_nothing_and_uses_the_question_up"),
    fault(
        "enterprise.approval/unasked-legacy",
        "The same for clients with a handshake, also for those that cannot be asked.",
        &[Neglect(Duty::ApprovalAsked)],
    )
    .judged_by("approval::legacy_a_client_that_cannot_ask_gets_nothing_done"),
    fault(
        "enterprise.approval/no-is-yes",
        "What the user declined or cancelled is done.",
        &[Neglect(Duty::OnlyYesApproves)],
    )
    .judged_by("approval::modern_whatever_is_no_yes_does_nothing_and_uses_the_question_up"),
    fault(
        "enterprise.approval/no-is-yes-legacy",
        "The same for clients with a handshake.",
        &[Neglect(Duty::OnlyYesApproves)],
    )
    .judged_by("approval::legacy_whatever_is_no_yes_does_nothing"),
    fault(
        "enterprise.approval/twice",
        "A question that has been answered can be answered again.",
        &[Neglect(Duty::ApprovalOnce)],
    )
    .judged_by("approval::modern_whatever_is_no_yes_does_nothing_and_uses_the_question_up"),
    fault(
        "enterprise.approval/of-another",
        "One principal answers what another was asked.",
        &[Neglect(Duty::StateBoundToPrincipal)],
    )
    .judged_by("approval::modern_an_answer_counts_for_its_question_its_principal_and_its_request"),
    fault(
        "enterprise.approval/of-another-legacy",
        "The same for clients with a handshake.",
        &[Neglect(Duty::PeersApart)],
    )
    .judged_by("approval::legacy_an_answer_of_somebody_else_is_none"),
    fault(
        "enterprise.approval/too-late",
        "An answer counts when the question has expired.",
        &[Neglect(Duty::StateExpires)],
    )
    .judged_by("approval::modern_an_answer_after_expiry_is_too_late"),
    fault(
        "enterprise.approval/another-matter",
        "What was approved is done although it is not what was asked about any more.",
        &[Neglect(Duty::MatterUnchanged)],
    )
    .judged_by("approval::legacy_what_has_changed_since_the_question_is_not_done"),
    fault(
        "enterprise.input/unchecked",
        "Arguments are not held against their schema.",
        &[Neglect(Duty::ArgumentsChecked)],
    )
    .judged_by("hygiene::injections_of_every_kind_find_nothing_and_do_nothing"),
    fault(
        "enterprise.input/spliced",
        "What is looked for stands in the text of the statement.",
        &[Neglect(Duty::QueryParameterised)],
    )
    .judged_by("hygiene::injections_of_every_kind_find_nothing_and_do_nothing"),
    fault(
        "enterprise.input/climbing",
        "A URI with `..` leads to records of another kind, whatever the role.",
        &[Neglect(Duty::UrisDoNotClimb)],
    )
    .judged_by("hygiene::injections_of_every_kind_find_nothing_and_do_nothing"),
    fault(
        "enterprise.input/unmarked",
        "What people have written is not marked as untrusted.",
        &[Neglect(Duty::WrittenMarked)],
    )
    .judged_by("hygiene::what_others_have_written_is_marked_as_untrusted_wherever_it_comes_out"),
];
