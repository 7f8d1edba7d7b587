"""Own the agents of hosts that run no Trio loop of ours: the runtime in a thread of its own, and the way to it.

| file | what it owns |
|---|---|
| `border` | the one file that crosses between the runtime's loop and its callers |
| `callers` | how a caller sleeps until it is told: in asyncio, in Trio, in a plain thread |
| `runtime_thread` | the thread, its loop, and their beginning and end |
| `hosted_agent` | `create_agent`, and the agent of asyncio and Trio programs |
| `hosted_stream`, `hosted_events` | what that agent hands out, read elsewhere than where it is made |
| `sync_agent` | `open_sync`, and the same without `await` for threads, scripts and notebooks |
"""
