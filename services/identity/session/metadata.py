"""What a program can find out about identity by itself (RFC 8414). Only what works is listed.

There is no openid-configuration: identity is no OpenID provider, it has no authorization endpoint and issues no ID token.
"""

from __future__ import annotations

from staffgate.contracts.identity import ServerMetadata


def describe(issuer: str) -> ServerMetadata:
    """`issuer` is, to the letter, what tokens name."""
    place = issuer.rstrip("/")
    return ServerMetadata(
        issuer=issuer,
        token_endpoint=f"{place}/oauth/token",
        jwks_uri=f"{place}/.well-known/jwks.json",
        grant_types_supported=["refresh_token", "client_credentials"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post", "none"],
        response_types_supported=[],
    )
