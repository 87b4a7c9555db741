"""What a program can find out about identity by itself."""

from __future__ import annotations

import msgspec


class ServerMetadata(msgspec.Struct, kw_only=True):
    """RFC 8414: only what works. There is no authorization endpoint, so `response_types_supported`, which has to be
    there, is empty; and there is no OpenID provider, so there is no openid-configuration."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    response_types_supported: list[str]
