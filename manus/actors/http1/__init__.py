"""HTTP/1.1 for one origin: what stands behind `manus.actors.transport`.

| file | owns |
|---|---|
| `request.py` | the bytes of a request |
| `head.py` | the grammar of a response's head, and how its body is framed |
| `body.py` | where a response's body ends |
| `parser.py`, `parser_httptools.py`, `parser_h11.py` | the seam over the parsing libraries |
| `encoding.py` | undoing a content encoding nobody asked for |
| `waits.py` | the named timeouts, on one scope whose deadline moves |
| `streams.py` | what a connection needs of a byte stream |
| `sockets.py`, `resolve.py` | plain TCP: connecting and the raw socket; addresses |
| `tls.py` | TLS over any byte stream, and the shared contexts |
| `connection.py` | one connection: an exchange at a time |
| `pool.py` | which connections exist, who waits for one |
| `response.py` | a response's body as its reader sees it |
| `stock.py` | the same seam over httpx's own transport, for proxies |

Nothing here knows of providers, models or prompts.
"""
