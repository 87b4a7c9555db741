"""The two ceremonies of WebAuthn: what a browser is asked to do, and whether what it answers is that.

Whatever an answer holds was made by somebody who wants to get in, so whatever goes wrong in reading it is a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.identity.store.passkeys import PasskeyRow
from staffgate.contracts.identity.factors import Json

ALGORITHMS = [
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
# What a browser sends when no attestation is asked for. The others carry certificates, which nothing here needs read.
_FORMATS = (AttestationFormat.NONE, AttestationFormat.PACKED)
_LONGEST_ID = 1023  # WebAuthn Level 3, section 4
_TIMEOUT = 300_000  # milliseconds; as long as a challenge is good


class Refused(Exception):
    """Not what was asked for. Why is for the log, and for nobody else."""


@dataclass(frozen=True)
class Made:
    """A new credential."""

    credential: bytes
    public_key: bytes
    sign_count: int
    synced: bool
    transports: list[str]


@dataclass(frozen=True)
class Known:
    """What options may say of a credential."""

    credential: bytes
    transports: Sequence[str] = ()


class Ceremonies:
    """`domain` is the relying party's id: passkeys hold for it and what is below it. `origins` are where the pages are."""

    def __init__(self, domain: str, origins: Sequence[str]) -> None:
        self._domain = domain
        self._origins = list(origins)

    def creation(self, user: bytes, login: str, name: str, challenge: bytes, known: Sequence[Known]) -> Json:
        options = webauthn.generate_registration_options(
            rp_id=self._domain,
            rp_name="Staffgate",
            user_id=user,
            user_name=login,
            user_display_name=name,
            challenge=challenge,
            timeout=_TIMEOUT,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=[_descriptor(one) for one in known],
            supported_pub_key_algs=ALGORITHMS,
        )
        return webauthn.helpers.options_to_json_dict(options)

    def request(self, challenge: bytes, known: Sequence[Known], *, alone: bool) -> Json:
        """`alone`: nothing else is shown, so the authenticator has to make sure of its user (a PIN, a fingerprint)."""
        options = webauthn.generate_authentication_options(
            rp_id=self._domain,
            challenge=challenge,
            timeout=_TIMEOUT,
            allow_credentials=[_descriptor(one) for one in known],
            user_verification=UserVerificationRequirement.REQUIRED if alone else UserVerificationRequirement.PREFERRED,
        )
        return webauthn.helpers.options_to_json_dict(options)

    def made(self, credential: Json, challenge: bytes) -> Made:
        """Raise Refused."""
        try:
            seen = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._domain,
                expected_origin=self._origins,
                supported_pub_key_algs=ALGORITHMS,
            )
            _require_same_origin(credential)
            transports = _transports(credential)
        except Exception as fault:  # see above
            raise Refused(str(fault)) from fault
        if seen.fmt not in _FORMATS or len(seen.credential_id) > _LONGEST_ID:
            raise Refused("a format or a length that nothing here makes")
        synced = seen.credential_device_type is CredentialDeviceType.MULTI_DEVICE
        return Made(seen.credential_id, seen.credential_public_key, seen.sign_count, synced, transports)

    def shown(self, credential: Json, challenge: bytes, passkey: PasskeyRow, user: bytes, *, alone: bool) -> int:
        """The passkey's counter now; whether it has gone on is for the caller to see, who knows that the signature is
        right by then. Raise Refused."""
        try:
            seen = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._domain,
                expected_origin=self._origins,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,
                require_user_verification=alone,
            )
            _require_same_origin(credential)
            handle = credential["response"].get("userHandle")
            of_user = handle is None or base64url_to_bytes(handle) == user
        except Exception as fault:  # see above
            raise Refused(str(fault)) from fault
        synced = seen.credential_device_type is CredentialDeviceType.MULTI_DEVICE
        if seen.credential_id != passkey.credential or synced != passkey.synced or not of_user:
            raise Refused("another credential, of another kind, or of another user")
        return seen.new_sign_count


def is_creation(credential: Json | None) -> bool:
    """Has it the shape of an answer? Only then a challenge is used up for it."""
    return _is_whole(credential, parse_registration_credential_json)


def is_assertion(credential: Json | None) -> bool:
    return _is_whole(credential, parse_authentication_credential_json)


def _is_whole(credential: Json | None, parse: Callable[[Json], Any]) -> bool:
    try:
        read = parse(credential or {})
    except Exception:  # see above
        return False
    return bytes_to_base64url(read.raw_id) == read.id and 0 < len(read.raw_id) <= _LONGEST_ID


def credential_id(credential: Json) -> bytes:
    """Of an answer that is whole, and that nobody has looked at yet."""
    return base64url_to_bytes(credential["rawId"])


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def domain_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def _descriptor(known: Known) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(one) for one in known.transports]
    return PublicKeyCredentialDescriptor(id=known.credential, transports=transports or None)


def _transports(credential: Json) -> list[str]:
    """Those that have a name; a newer browser may know others."""
    said = credential["response"].get("transports") or []
    return [one.value for one in AuthenticatorTransport if one.value in said]


def _require_same_origin(credential: Json) -> None:
    """In a frame of somebody else's page nobody knows what they agree to. The library reads this and does not mind."""
    if parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"])).cross_origin:
        raise Refused("a page of another origin holds the frame")
