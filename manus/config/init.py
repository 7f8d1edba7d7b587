"""Own the starter file that `manus config init` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from manus.config.problems import InvalidConfig, Problem

STARTER: Final = """\
# The configuration of Manus. `manus config check` tells what is wrong with it, `manus config show` what it means.
# Strings may hold ${VARIABLE} and ${VARIABLE:-default}; keys belong into the environment, not into this file.

[general]
# The first choice; left out, the enabled provider of the lowest priority number.
# default_provider = "openai"
# Who is asked next, in order; left out, every enabled provider by priority.
# fallback_providers = ["ollama", "local"]
# How candidates are ordered: priority, cost_aware, capability, latency, least_busy, weighted, round_robin.
routing_strategy = "priority"
enable_streaming = true
enable_logging = true

[providers.openai]
enabled = false                      # set OPENAI_API_KEY, then make this true
priority = 1
api_key = "${OPENAI_API_KEY}"
# base_url = "https://api.openai.com/v1"   # any server that speaks the OpenAI API
# Costs are USD per million tokens; a model without them has an unknown price.
models = [
    { name = "gpt-5.4-mini", cost_per_input = 0.75, cost_per_cache_read = 0.075, cost_per_output = 4.5 },
    { name = "gpt-4o-mini", cost_per_input = 0.15, cost_per_cache_read = 0.075, cost_per_output = 0.6 },
]

[providers.anthropic]
enabled = false                      # set ANTHROPIC_API_KEY, then make this true
priority = 2
api_key = "${ANTHROPIC_API_KEY}"
models = [{ name = "claude-haiku-5-5" }, { name = "claude-sonnet-5-5" }]

[providers.bedrock]
enabled = false                      # credentials as the AWS tools find them: profile, environment, role
priority = 3
region = "${AWS_REGION:-us-east-1}"
# profile = "work"
# api_key = "${AWS_BEARER_TOKEN_BEDROCK}"
models = [{ name = "us.anthropic.claude-opus-5" }]

[providers.azure]
enabled = false                      # name your resource and a deployment, then make this true
priority = 4
base_url = "${AZURE_OPENAI_ENDPOINT:-https://RESOURCE.openai.azure.com}"
api_key = "${AZURE_OPENAI_API_KEY}"  # or entra = true, for Microsoft Entra ID
models = [{ name = "my-deployment", base = "gpt-5.4-mini" }]

[providers.ollama]
enabled = false                      # start Ollama, name a model you have pulled, then make this true
priority = 5
base_url = "${OLLAMA_URL:-http://127.0.0.1:11434}"
models = [{ name = "qwen3:8b", cost_per_input = 0, cost_per_output = 0 }]

[providers.local]
# The embedded model, run on this machine by a process of its own. No key, no network.
priority = 1000
models = [{ name = "smollm2-135m-instruct", cost_per_input = 0, cost_per_output = 0 }]

[routing]
# What is asked where a request names a model that cannot answer: models, or provider/model.
# fallbacks = { "gpt-5.4-mini" = ["claude-haiku-5-5"] }
# Who may be asked after a content policy refused a request; without it, the refusal is the answer.
# content_policy_fallbacks = ["ollama"]
on_interrupt = "auto"                # a stream that breaks off is taken up where it was; or "restart", "error"
on_cancel = "abort"                  # a call whose caller left is broken off; "drain" reads it for the exact count

[hedge]
# Race a slow first attempt by a second one. It costs money.
# enabled = true

[limits]
# What flows through at most; also [limits.tags.NAME], [providers.NAME.limits], and of a model or a key.
# requests_per_minute = 600
# tokens_per_minute = 200000
# concurrency = 64

[budgets]
# What may be used in all; also [budgets.tags.NAME], [providers.NAME.budgets], and of a model or a key.
# usd_per_day = 20.0
# usd_per_month = 200.0
# rolling = [{ hours = 5, usd = 8.0 }]
# on_unknown_price = "refuse"          # left out, calls without a known price are made and not counted

[timeouts]
# Seconds. request_s is a request's deadline over all attempts, the others are waits on one provider.
request_s = 600
connect_s = 5
# headers_s = 60
# first_content_s = 60
# idle_s = 60

[ledger]
# path = "ledger.sqlite"              # left out: in the user's state directory
durability = "process"               # "power" also survives the plug
# keep_days = 400                    # older calls are kept as sums only
"""


def write_starter(path: Path) -> None:
    """Write the starter file, its directory included; a file that is there already is never touched.

    Raises:
        InvalidConfig: the file exists or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER)
    except FileExistsError:
        message = "exists already and is left as it is; name another file, or remove it first"
        raise InvalidConfig([Problem(message=message, file=str(path))]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name is no path"
        raise InvalidConfig([Problem(message=f"cannot be written: {reason}", file=str(path))]) from None
