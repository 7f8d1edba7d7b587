"""Own a real llama.cpp server for tests: `model_host.py WHEEL MODEL`, one slot, one thread, on a port of its own.

It prints its address, and ends when its stdin is closed, which the kernel does when the test run is gone. One thread,
for a second one on a busy machine only waits for the first. `/metrics` tells how much it has computed.
"""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> None:
    """Serve until stdin is closed."""
    wheel, model = arguments
    sys.path.insert(0, wheel)
    import xllamacpp  # here, because its place is known only now

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = 1
    params.n_ctx = 4096
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_threads_http = 4
    params.warmup = False
    params.ui = False
    params.endpoint_metrics = True
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # the server's own threads are of no interest any more


if __name__ == "__main__":
    main(sys.argv[1:])
