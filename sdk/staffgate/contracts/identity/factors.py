"""Second factors: what a person has, adding one, removing one, and showing one again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.identity.logins import Factor, Proof, Tokens
from staffgate.contracts.identity.names import END, TEXT, FactorKind, Secret

PasskeyName = Annotated[str, Meta(min_length=1, max_length=60, pattern=rf"^{TEXT}*[^\s\x00-\x1f\x7f<>]{TEXT}*" + END)]
# `PublicKeyCredential.toJSON()`, or the options that `parseCreationOptionsFromJSON` takes (WebAuthn Level 3, section 5.1).
Json = dict[str, Any]


class TotpEnrolment(msgspec.Struct, kw_only=True):
    """Shown once. `uri` is what an authenticator app reads from the QR code; `qr` is that code, an SVG as a data URI."""

    secret: str
    uri: str
    qr: str


class ConfirmTotp(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    code: Annotated[str, Meta(min_length=6, max_length=6, pattern=r"^[0-9]+" + END)]


class FactorAdded(Tokens, kw_only=True):
    """The tokens take the place of the session's. With the first strong factor come recovery codes, shown this once."""

    recovery_codes: list[str] | None = None


class RecoveryCodes(msgspec.Struct, kw_only=True):
    """Shown this once, to be kept in a safe place. Each is good once; those made before are dead."""

    codes: list[str]


class PasskeyOptions(msgspec.Struct, kw_only=True):
    """What the browser is to do: for `PublicKeyCredential.parse...OptionsFromJSON`. Good once, for five minutes."""

    expires_at: datetime
    options: Json


class AddPasskey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`credential` is what the browser made of the options; `name` is for the person to tell their passkeys apart."""

    credential: Json
    name: PasskeyName = "Passkey"


class RenamePasskey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: PasskeyName


class Passkey(msgspec.Struct, kw_only=True):
    """`synced`: it can be on several devices of its person."""

    id: UUID
    name: str
    synced: bool
    created_at: datetime
    used_at: datetime | None


class FactorShown(msgspec.Struct, kw_only=True):
    """A second factor that is there. `allowed`: the organisation lets this person use it."""

    kind: FactorKind
    strength: Literal["strong", "weaker"]
    allowed: bool
    since: datetime
    hint: str | None


class FactorList(msgspec.Struct, kw_only=True):
    """What a person has. `required`: logging in takes a second factor. `allowed`: the kinds that the organisation permits."""

    required: bool
    allowed: list[FactorKind]
    factors: list[FactorShown]
    passkeys: list[Passkey]
    recovery_codes_left: int


class BeginPasskeyLogin(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """With a login name the options list its passkeys; with null the device offers those that it has for this place."""

    login: Annotated[str, Meta(max_length=256, description="Organisation\\username")] | None


class PasskeyLoginStarted(PasskeyOptions, kw_only=True):
    transaction: str


class FinishPasskeyLogin(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    transaction: Secret
    credential: Json
    device: Secret | None = None


class AskPasskey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    transaction: Secret


class StepUpStarted(msgspec.Struct, kw_only=True):
    """`factors`: those as strong as what this session was opened with."""

    transaction: str
    expires_at: datetime
    factors: list[Factor]


class FinishStepUp(Proof, forbid_unknown_fields=True, kw_only=True):
    transaction: Secret
