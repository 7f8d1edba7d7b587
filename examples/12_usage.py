"""Keep limits and a budget, see what was used and what is left, and be told no before anything is sent."""

import trio

import manus
from manus.messages.limits import BudgetWarned
from manus.testing import Script, SimProvider, serve_sim, sim_config

BOUNDS = {
    "limits": {"requests_per_minute": 60, "tags": {"team-a": {"requests_per_minute": 5}}},
    "budgets": {"usd_per_day": 0.001, "warn_at": [0.01]},
}


async def main() -> None:
    async with serve_sim(SimProvider("openai", Script(text="Count what you spend."))) as server:
        config = sim_config({"cloud": server}, ledger={"path": ":memory:"}, **BOUNDS)
        async with manus.open_agent(config) as agent:
            with agent.events() as events, agent.token_tracker() as tracker:
                await agent.generate("Hello", max_tokens=50, tags=["team-a"])
                await agent.generate("Hello", max_tokens=50)
                print(f"live: {tracker.total_tokens} tokens, ${tracker.total_cost_usd:.6f}", *tracker.by_model())
            async for event in events:
                if isinstance(event, BudgetWarned):
                    print(f"warned: {event.share:.0%} of {event.source}")
            for line in (await agent.get_usage_summary(1, by="tag")).lines:
                print(f"tag {line.tag}: {line.requests} call, {line.total_tokens} tokens")
            limits = await agent.get_limits()
            print("left for team-a this minute:", limits.remaining("requests", tags=["team-a"]))
            print("left of the budget, in nano-USD:", limits.budget_left())
            try:
                await agent.generate("Write a very long story.", max_tokens=4000)
            except manus.BudgetExceededError as error:
                print("refused:", error)


trio.run(main)
