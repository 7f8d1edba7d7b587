"""Let the model call a function of ours, and answer with what the function gave."""

import json

import trio

import manus
from manus.testing import Behaviour, Script, ScriptedCall, SimProvider, serve_sim, sim_config

TEMPERATURES = {"Oslo": 4, "Lisbon": 19}
WEATHER = {
    "name": "temperature",
    "description": "The temperature in a city, in degrees Celsius.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALLS = Script(text="", tool_calls=(ScriptedCall(name="temperature", arguments='{"city": "Oslo"}'),))
ANSWERS = Script(text="It is 4 degrees in Oslo.")


async def main() -> None:
    async with serve_sim(SimProvider("openai", Behaviour(first=(CALLS, ANSWERS)))) as server:
        async with manus.open_agent(sim_config({"openai": server}), keep_books=False) as agent:
            conversation = [manus.Turn(role="user", parts=(manus.Text(text="How warm is it in Oslo?"),))]
            response = await agent.generate(conversation, tools=[WEATHER])
            while response.tool_calls and response.answer.turn is not None:
                conversation.append(response.answer.turn)
                for call in response.tool_calls:
                    degrees = TEMPERATURES[json.loads(call.arguments)["city"]]
                    print(f"{call.name}({call.arguments}) -> {degrees}")
                    result = manus.ToolResult(id=call.id, name=call.name, content=(manus.Text(text=str(degrees)),))
                    conversation.append(manus.Turn(role="tool", parts=(result,)))
                response = await agent.generate(conversation, tools=[WEATHER])
            print(response.content)


trio.run(main)
