"""A model server that does as it is told: `python scripted_model_server.py PORT MODE [FILE]`, standard library only.

Modes: `serve`; `slow` (listens after a while); `die` (ends at once, with a word on stderr); `sick` (503 for ever);
`deaf` (serves, ignores SIGTERM); `parent` (serves, and starts a child of its own, whose id goes to FILE).
"""

import http.server
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if sys.argv[2] == "sick" else 200)
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        """Stream for ever, one chunk after another."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        while True:
            self.wfile.write(b'data: {"choices":[{"delta":{"content":"word "}}]}\n\n')
            time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        pass


def main() -> int:
    port, mode = int(sys.argv[1]), sys.argv[2]
    if mode == "die":
        print("error: no such model", file=sys.stderr)
        return 3
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "parent":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(sys.argv[3]).write_text(str(child.pid))
    if mode == "slow":
        time.sleep(0.7)
    print(f"serving in process {os.getpid()}")
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
