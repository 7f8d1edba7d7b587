"""For users' tests: simulated providers with faults on request, in memory or on loopback sockets.

```python
from manus.testing import Behaviour, FAULTS, Script, SimProvider, serve_sim

provider = SimProvider("openai", Script(text="Hello, test."))
async with serve_sim(provider) as server:
    ...  # point a provider entry's base_url at server.base_url
    provider.behave(Script(fault=FAULTS["429-retry-after"]))
assert provider.bill.totals().billed == 1
```
"""

from manus.sim.behaviour import Behaviour, Responder, Script, ScriptedCall
from manus.sim.bill import Bill, BillRow, BillTotals
from manus.sim.faults import FAULTS, Fault, fault_named
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.server import SimServer, serve_sim

__all__ = [
    "FAULTS",
    "Behaviour",
    "Bill",
    "BillRow",
    "BillTotals",
    "Fault",
    "Responder",
    "Script",
    "ScriptedCall",
    "SimProvider",
    "SimServer",
    "SimTransport",
    "fault_named",
    "serve_sim",
]
