"""Ask where a question would go, by strategy and by criteria, before it goes there. Nothing is sent."""

import trio

import manus

CONFIG = {
    "ledger": {"path": ":memory:"},
    "providers": {
        "cloud": {
            "type": "openai",
            "base_url": "https://cloud.example/v1",
            "tags": ["eu"],
            "models": [
                {"name": "large", "cost_per_input": 5, "cost_per_output": 20, "tier": 9, "vision": True},
                {"name": "small", "cost_per_input": 0.5, "cost_per_output": 2, "tier": 4, "vision": False},
            ],
        },
        "home": {"type": "ollama", "models": [{"name": "tiny", "tier": 1, "vision": False}]},
    },
}
SEEING = manus.RoutingCriteria(requires_vision=True, requires_functions=False, prefer_cheap=False, task_complexity=8)


async def main() -> None:
    async with manus.open_agent(CONFIG) as agent:
        for strategy in (manus.RoutingStrategy.PRIORITY, manus.RoutingStrategy.COST_AWARE):
            route = await agent.explain("What is a bowline?", routing_strategy=strategy)
            print(f"{route.strategy}:", ", then ".join(each.deployment for each in route.candidates))
        route = await agent.explain("What is in the picture?", criteria=SEEING)
        print("who sees, and is able:", route.candidates[0].deployment, f"({route.candidates[0].reason})")
        print("left out:", *(f"{each.deployment} ({each.reason})" for each in route.left_out))
        try:
            await agent.generate("Hello", criteria=manus.RoutingCriteria(requires_vision=True, tags=("us",)))
        except manus.FallbackError as error:
            print(error)


trio.run(main)
