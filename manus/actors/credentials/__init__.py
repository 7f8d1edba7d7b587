"""What calls show to be let in: keys, tokens and signatures, that are held here and never told.

| file | owns |
|---|---|
| `base.py` | the contract: `Credentials`, and the `Authorisation` of one request |
| `static.py` | nothing, one key, further headers |
| `tokens.py` | what expires: fetched once for all, renewed before anybody waits |
| `aws.py`, `aws_sigv4.py`, `aws_chain.py` | AWS keys, the signing of each request, the search for keys |
| `entra.py` | tokens of Microsoft Entra ID |

What needs a library of a vendor imports it when it is used, in a thread, and says what to install where it is missing.
"""

from manus.actors.credentials.base import (
    ASK_AGAIN,
    FINGERPRINT_CHARS,
    REFUSALS,
    Authorisation,
    Credentials,
    Headers,
    fingerprint_of,
)
from manus.actors.credentials.static import NoCredentials, StaticKey, WithHeaders

__all__ = [
    "ASK_AGAIN",
    "FINGERPRINT_CHARS",
    "REFUSALS",
    "Authorisation",
    "Credentials",
    "Headers",
    "NoCredentials",
    "StaticKey",
    "WithHeaders",
    "fingerprint_of",
]
