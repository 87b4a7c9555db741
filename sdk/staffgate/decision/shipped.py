"""The manifests that come with the suite: the fourteen products that section 1 names, and the six channels of section 4."""

from __future__ import annotations

from staffgate.contracts.authz import Item
from staffgate.decision.manifest import Feature, Manifest, Section

CORE = Manifest(
    "core",
    "System [CORE]",
    sections=(
        Section("core", "System [CORE]"),
        Section("core.staff", "Staff accounts", "core", ("staff",)),
        Section("core.permissions", "Permissions", "core", ("permissions",)),
        Section("core.roles", "Roles", "core", ("role",)),
        Section("core.teams", "Teams", "core", ("team",)),
        Section("core.organisation", "Organisation", "core", ("contract", "tenant", "group")),
        Section("core.audit", "Audit log", "core"),
    ),
)

TELEPHONY = Manifest(
    "telephony",
    "Telephony",
    sections=(
        Section("telephony", "Telephony"),
        Section("telephony.numbers", "Phone numbers", "telephony", ("number",)),
        Section("telephony.ivr", "IVR menus", "telephony", ("ivr",)),
        Section("telephony.settings", "Settings", "telephony"),
    ),
    features=(Feature("call.route", "Route calls from an element to another", "telephony", "edit"),),
)

VIRTUAL_PBX = Manifest(
    "virtual-pbx",
    "Virtual PBX",
    sections=(
        Section("pbx", "Virtual PBX"),
        Section("pbx.extensions", "Extensions", "pbx", ("extension",)),
        Section("pbx.own-settings", "Own settings", "pbx", ("setting",)),
        Section("pbx.call-history", "Call history", "pbx", ("call",)),
        Section("pbx.apps", "Mobile and desktop apps", "pbx"),
        Section("pbx.web-phone", "Web phone", "pbx"),
        Section("pbx.attendant-console", "Attendant console", "pbx"),
        Section("pbx.settings", "PBX settings", "pbx"),
        Section("pbx.attendants", "Auto attendants", "pbx", ("attendant",)),
        Section("pbx.queues", "Call queues", "pbx", ("queue",)),
        Section("pbx.time-frames", "Global time frames", "pbx"),
        Section("pbx.users", "PBX users", "pbx", ("pbx-user",)),
        Section("pbx.recordings", "Call recordings", "pbx", ("recording",)),
        Section("pbx.agent", "Call center agent page", "pbx"),
        Section("pbx.supervisor", "Call center supervisor page", "pbx"),
        Section("pbx.reports", "Call center reports", "pbx"),
    ),
    features=(
        Feature("recording.listen", "Listen to recordings", "pbx.recordings", "view"),
        Feature("recording.export", "Save recordings", "pbx.recordings", "download"),
        Feature("call.click", "Click-to-call", "pbx.extensions", "create"),
        Feature("queue.join", "Log in and out of queues", "pbx.queues", "edit"),
        Feature("agent.status", "Set one's own status", "pbx.agent", "edit"),
        Feature("supervisor.activity", "Watch the call activity", "pbx.supervisor", "view"),
        Feature("supervisor.grid", "Watch the real-time grid", "pbx.supervisor", "view"),
        Feature("supervisor.agents", "Watch all agents and their status", "pbx.supervisor", "view"),
        Feature("report.run", "Run advanced reports", "pbx.reports", "view"),
    ),
)

AUTOMATED_CALLS = Manifest(
    "automated-calls",
    "Automated calls",
    sections=(Section("autocalls", "Automated calls"),),
    features=(Feature("autocalls.start", "Start a series of calls", "autocalls", "create"),),
)

CHATBOTS = Manifest(
    "chatbots",
    "Chatbots",
    sections=(Section("chatbots", "Chatbots", items=("chatbot",)),),
    features=(Feature("chatbot.publish", "Publish a chatbot", "chatbots", "approve"),),
)

INTEGRATIONS = Manifest(
    "integrations",
    "Integrations and API",
    sections=(
        Section("integrations", "Integrations"),
        Section("integrations.api", "For developers", "integrations"),
    ),
    features=(Feature("api.keys", "Issue API keys", "integrations.api", "create"),),
)

CONTACT_CENTER_AI = Manifest(
    "contact-center-ai",
    "Contact Center AI",
    sections=(
        Section("ccai", "Contact Center AI"),
        Section("ccai.transcripts", "Transcripts", "ccai"),
    ),
    features=(Feature("transcript.read", "Read transcripts", "ccai.transcripts", "view"),),
)

SMS = Manifest(
    "sms",
    "SMS",
    sections=(Section("sms", "SMS", items=("inbox",)),),
    features=(
        Feature("sms.read", "Read messages", "sms", "view"),
        Feature("sms.send", "Send messages", "sms", "create"),
        Feature("sms.delete", "Delete messages", "sms", "delete"),
    ),
)

CONTACTS = Manifest(
    "contacts",
    "Contacts",
    sections=(Section("contacts", "Contacts", items=("contact",)),),
    features=(Feature("contacts.export", "Save contacts to a file", "contacts", "download"),),
)

CAMPAIGNS = Manifest(
    "campaigns",
    "Campaigns",
    sections=(Section("campaigns", "Campaigns", items=("campaign",)),),
    features=(Feature("campaign.launch", "Launch a campaign", "campaigns", "approve"),),
)

REPORTING = Manifest(
    "reporting",
    "Reporting",
    sections=(
        Section("reporting", "Reporting and monitoring"),
        Section("reporting.insights", "Insights", "reporting"),
        Section("reporting.monitor", "Live monitor", "reporting"),
    ),
    features=(Feature("report.export", "Save reports to a file", "reporting", "download"),),
)

SUBSCRIPTION = Manifest(
    "subscription",
    "Subscription plan",
    sections=(Section("subscription", "Subscription plan"),),
    features=(Feature("plan.change", "Change the plan", "subscription", "edit"),),
)

CHANNELS = Manifest(
    "channels",
    "Channels",
    sections=(Section("channels", "Channels", items=("channel",), rows=False),),
    features=(Feature("channel.operate", "Operate a channel", "channels", "create"),),
)

PORTAL = Manifest(
    "portal",
    "Portal",
    sections=(Section("portal", "Portal", rows=False),),
    features=(Feature("portal.login", "Log in to the portal", "portal", "view"),),
)

# The items of the section Channels, the same in every organisation.
CHANNEL_ITEMS = tuple(
    Item(type="channel", id=name, section="channels", label=label)
    for name, label in (
        ("webchat", "Web chat"),
        ("phone", "Phone"),
        ("email", "E-mail"),
        ("facebook", "Facebook"),
        ("whatsapp", "WhatsApp"),
        ("sms", "SMS"),
    )
)


def shipped() -> tuple[Manifest, ...]:
    """The suite's own manifests, in the order of the page (section 1)."""
    return (
        CORE,
        TELEPHONY,
        VIRTUAL_PBX,
        AUTOMATED_CALLS,
        CHATBOTS,
        INTEGRATIONS,
        CONTACT_CENTER_AI,
        SMS,
        CONTACTS,
        CAMPAIGNS,
        REPORTING,
        SUBSCRIPTION,
        CHANNELS,
        PORTAL,
    )
