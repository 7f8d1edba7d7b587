"""What the page shows of the C++ client compiles."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.cpp.building import ROOT, SOURCES, compiler
from tests.shared_data import unavailable

PAGE = ROOT / "docs" / "cpp.md"


def test_every_piece_of_code_on_the_page_compiles(tmp_path: Path) -> None:
    pieces = re.findall(r"```cpp\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    programs = [piece.replace("int main", "int program") for piece in pieces if "int main" in piece]
    bodies = [piece for piece in pieces if "int main" not in piece]
    functions = [f"void piece_{number}(manus::Client& client) {{\n{body}}}\n" for number, body in enumerate(bodies)]
    assert len(programs) == 1
    assert len(functions) >= 3
    source = tmp_path / "page.cpp"
    source.write_text("\n".join((*programs, *functions)), encoding="utf-8")
    options = ("-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused", f"-I{SOURCES}")
    done = subprocess.run([compiler(), *options, str(source)], capture_output=True, text=True, check=False)
    if "nlohmann/json.hpp: No such file" in done.stderr:
        unavailable("the page's code cannot be compiled: nlohmann/json is missing")
    assert done.returncode == 0, done.stderr[:4000]
