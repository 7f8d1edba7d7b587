"""Own the embedded llama.cpp server: a process that serves one model on a loopback port of the kernel's choosing.

Run as a program by the guard, `python -I host.py OPTIONS_JSON`, with no module of ours. The options:
`wheel` (the directory that holds `xllamacpp`), `model`, `context_tokens`, `parallel`, `threads`. The address is
reported as `{"url": ...}` once the server listens, so no port is chosen before it is bound.
"""

from __future__ import annotations

import json
import os
import signal
import sys


def main(arguments: list[str]) -> int:
    """Serve until killed."""
    options = json.loads(arguments[0])
    sys.path.insert(0, options["wheel"])
    import xllamacpp  # here, because its place is known only now

    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    # One window per conversation: the server divides its whole window among them.
    params.n_parallel = options["parallel"]
    params.n_ctx = options["context_tokens"] * options["parallel"]
    params.cpuparams.n_threads = options["threads"]
    params.cpuparams_batch.n_threads = options["threads"]
    params.n_threads_http = options["parallel"] + 2
    params.warmup = False
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 1
    server = xllamacpp.Server(params)
    os.write(int(os.environ["MANUS_REPORT_FD"]), json.dumps({"url": server.listening_address}).encode() + b"\n")
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
