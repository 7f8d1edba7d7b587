"""For users' tests: simulated providers with faults on request, in memory or on loopback sockets.

```python
from manus.testing import FAULTS, Script, SimProvider, serve_sim, sim_config

provider = SimProvider("openai", Script(text="Hello, test."))
async with serve_sim(provider) as server:
    async with manus.open_agent(sim_config({"openai": server}), keep_books=False) as agent:
        assert (await agent.generate("Hi")).content == "Hello, test."
        provider.behave(Script(fault=FAULTS["quota"]))
        with pytest.raises(manus.RateLimitError):
            await agent.generate("Hi")
assert provider.bill.totals().billed == 1
```
"""

from manus.sim.behaviour import Behaviour, Responder, Script, ScriptedCall
from manus.sim.bill import Bill, BillRow, BillTotals
from manus.sim.faults import FAULTS, Fault, fault_named, faults_of
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.server import SimServer, serve_sim
from manus.testing.agents import crash_actor, sim_config, sim_entry

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
    "crash_actor",
    "fault_named",
    "faults_of",
    "serve_sim",
    "sim_config",
    "sim_entry",
]
