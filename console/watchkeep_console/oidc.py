"""Login by an OpenID provider: authorization code with PKCE, state and nonce; accounts are found, never made.

OidcError (PermanentError): the provider or its answer cannot be trusted; the reason is for the log, not for visitors.
"""

import base64
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

import msgspec
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from watchkeep_core.errors import PermanentError

SCOPE = "openid email"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signatures only a provider can make: no HMAC, which everybody with the client secret could, and never `none`."""
TIMEOUT_S = 8.0
PENDING_S = 600
"""How long a person may take at the provider."""
KEYS_S = 3600
MIN_REFRESH_S = 10
"""Keys are fetched again for an unknown key id, but not oftener: forged tokens must not turn into a flood."""
LEEWAY_S = 60


class OidcError(PermanentError):
    """The provider does not answer as it must."""


class Pending(msgspec.Struct, frozen=True):
    """What the browser keeps, signed, while the person is at the provider."""

    state: str
    nonce: str
    verifier: str
    next: str
    ends: float


@dataclass(frozen=True, slots=True)
class Subject:
    """Who the provider says it is; `email` only when it has verified it."""

    issuer: str
    subject: str
    email: str


class Provider:
    """One OpenID provider; its metadata and keys are fetched when first needed and kept for an hour."""

    def __init__(self, issuer: str, client_id: str, client_secret: str | None, signing_secret: str) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._signing = hashlib.blake2b(signing_secret.encode(), digest_size=32, person=b"watchkeep-oidc").digest()
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._fetched_s = float("-inf")

    def begin(self, redirect_uri: str, next_path: str, now_s: float) -> tuple[str, str]:
        """Where to send the browser, and the cookie that must come back with it. `now_s` is seconds of the epoch."""
        verifier = secrets.token_urlsafe(48)
        pending = Pending(secrets.token_urlsafe(24), secrets.token_urlsafe(24), verifier, next_path, now_s + PENDING_S)
        url, _ = self._client(redirect_uri).create_authorization_url(
            self._endpoint("authorization_endpoint"),
            state=pending.state,
            nonce=pending.nonce,
            code_verifier=verifier,
        )
        return url, self._signed(pending)

    def finish(self, cookie: str, state: str, code: str, redirect_uri: str, now_s: float) -> tuple[Subject, str]:
        """Who came back, and where they wanted to go. Raises OidcError."""
        pending = self._pending(cookie)
        if not secrets.compare_digest(pending.state.encode(), state.encode()) or pending.ends < now_s:
            raise OidcError("the answer belongs to no login begun in this browser, or comes too late")
        try:
            token = self._client(redirect_uri).fetch_token(
                self._endpoint("token_endpoint"), code=code, code_verifier=pending.verifier, timeout=TIMEOUT_S
            )
        except (OAuthError, requests.RequestException, ValueError) as error:
            raise OidcError(f"the code was not accepted: {error}") from error
        claims = self._claims(str(token.get("id_token", "")), pending.nonce, now_s)
        verified = claims.get("email_verified") in (True, "true")
        email = str(claims.get("email", "")) if verified else ""
        return Subject(str(claims["iss"]), str(claims["sub"]), email), pending.next

    def _claims(self, id_token: str, nonce: str, now_s: float) -> dict[str, Any]:
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(now_s),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._document()["issuer"]},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            try:
                decoded = jwt.decode(id_token, self._key_set(), algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                decoded = jwt.decode(
                    id_token, self._key_set(renew=True), algorithms=ALGORITHMS
                )  # keys may have rotated
            rules.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise OidcError(f"the ID token is not valid: {error}") from error
        parties = decoded.claims["aud"]
        if isinstance(parties, list) and len(parties) > 1 and decoded.claims.get("azp") != self._client_id:
            raise OidcError("the ID token is meant for another party as well")
        return dict(decoded.claims)

    def _client(self, redirect_uri: str) -> OAuth2Session:
        method = "client_secret_basic" if self._client_secret else "none"
        return OAuth2Session(
            self._client_id,
            self._client_secret,
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method=method,
        )

    def _document(self) -> dict[str, Any]:
        with self._lock:
            if not self._metadata:
                found = _get(f"{self._issuer}/.well-known/openid-configuration")
                if str(found.get("issuer", "")).rstrip("/") != self._issuer:
                    raise OidcError("the provider's metadata is another issuer's")
                self._metadata = found
            return self._metadata

    def _endpoint(self, name: str) -> str:
        url = str(self._document().get(name, ""))
        if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise OidcError(f"the provider's {name} is not https")
        return url

    def _key_set(self, *, renew: bool = False) -> KeySet:
        url = self._endpoint("jwks_uri")
        with self._lock:
            age_s = time.monotonic() - self._fetched_s
            if self._keys is None or age_s > KEYS_S or (renew and age_s > MIN_REFRESH_S):
                self._keys = KeySet.import_key_set({"keys": _get(url).get("keys", [])})
                self._fetched_s = time.monotonic()
            return self._keys

    def _signed(self, pending: Pending) -> str:
        body = base64.urlsafe_b64encode(msgspec.json.encode(pending)).decode()
        return f"{body}.{hmac.digest(self._signing, body.encode(), hashlib.sha256).hex()}"

    def _pending(self, cookie: str) -> Pending:
        body, _, proof = cookie.partition(".")
        expected = hmac.digest(self._signing, body.encode(), hashlib.sha256).hex()
        if not hmac.compare_digest(expected.encode(), proof.encode()):
            raise OidcError("no login was begun in this browser")
        return msgspec.json.decode(base64.urlsafe_b64decode(body), type=Pending)


def _get(url: str) -> dict[str, Any]:
    try:
        answer = requests.get(url, timeout=TIMEOUT_S, allow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise OidcError(f"{url} does not answer: {error}") from error
    if not isinstance(found, dict):
        raise OidcError(f"{url} is no JSON object")
    return found
