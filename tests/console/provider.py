"""A small OpenID provider on loopback: real HTTP, real signatures, keys that rotate, and knobs that make it lie."""

import base64
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT = "watchkeep-console"
SECRET = "provider-knows-this-secret"


@dataclass
class Provider:
    """`claims` are added to, or override, those of the ID token; `signs_with` another key than the published ones."""

    subject: str = "sub-1"
    claims: dict[str, Any] = field(default_factory=dict)
    signs_with: RSAKey | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    server: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        self.rotate()

    @property
    def issuer(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_port}"

    def rotate(self) -> None:
        """A fresh key under a fresh id; the old one is no longer published."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})

    def start(self) -> "Provider":
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/.well-known/openid-configuration":
                    self.answer(provider.document())
                elif parts.path == "/keys":
                    self.answer(KeySet([provider.key]).as_dict(private=False))
                else:
                    self.send_response(303)
                    self.send_header("Location", provider.authorize(parts.query))
                    self.end_headers()

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, body = provider.token(form, self.headers.get("Authorization", ""))
                self.answer(body, status)

            def answer(self, body: object, status: int = 200) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()

    def document(self) -> dict[str, object]:
        ends = {name: f"{self.issuer}/{name}" for name in ("authorize", "token", "keys")}
        return {
            "issuer": self.issuer,
            "authorization_endpoint": ends["authorize"],
            "token_endpoint": ends["token"],
            "jwks_uri": ends["keys"],
        }

    def authorize(self, query: str) -> str:
        """The person agrees at once."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'state': asked['state'], 'code': code})}"

    def token(self, form: str, authorization: str) -> tuple[int, dict[str, object]]:
        given = {name: values[0] for name, values in parse_qs(form).items()}
        asked = self.codes.pop(given.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or authorization != f"Basic {basic}":
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        key = self.signs_with or self.key
        token = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims | self.claims, key)
        return 200, {"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": token}
