"""Begin a conversation with one provider and end it with another: the tool call, its result and all before them go
along. What only the first one may see, such as its signed thinking, stays out of what the second is sent."""

import trio

import manus
from manus.testing import Behaviour, Script, ScriptedCall, SimProvider, serve_sim, sim_config

TIME = {"name": "time", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}}}
CALLS = Script(text="", tool_calls=(ScriptedCall(name="time", arguments='{"zone": "UTC"}'),))
ANSWERS = Script(text="It is noon.")


async def main() -> None:
    first, second = SimProvider("openai", Behaviour(script=CALLS)), SimProvider("ollama", Behaviour(script=ANSWERS))
    async with serve_sim(first) as one, serve_sim(second) as other:
        async with manus.open_agent(sim_config({"cloud": one, "local": other}), keep_books=False) as agent:
            conversation = [manus.Turn(role="user", parts=(manus.Text(text="What time is it?"),))]
            asked = await agent.generate(conversation, provider="cloud", tools=[TIME])
            (call,) = asked.tool_calls
            print(f"{asked.provider} asks for {call.name}({call.arguments})")
            result = manus.ToolResult(id=call.id, name=call.name, content=(manus.Text(text="12:00"),))
            conversation += [asked.turn, manus.Turn(role="tool", parts=(result,))]
            answered = await agent.generate(conversation, provider="local", tools=[TIME])
            print(f"{answered.provider} says: {answered.content}")


trio.run(main)
