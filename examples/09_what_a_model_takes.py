"""Send a picture and a file, and hear what a model does not take: in a warning, or before anything is sent."""

import struct
import tempfile
import zlib
from pathlib import Path

import trio

import manus
from manus.testing import Script, SimProvider, serve_sim, sim_config

HEADER = b"IHDR" + struct.pack(">IIBBBBB", 640, 480, 8, 2, 0, 0, 0)
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + HEADER + struct.pack(">I", zlib.crc32(HEADER))


async def main() -> None:
    async with serve_sim(SimProvider("openai", Script(text="A sail, and a tale of it."))) as server:
        config = sim_config({"openai": server})
        config["providers"]["openai"]["models"] = [{"name": "sim-large", "seed": False, "documents": False}]
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "tale.md").write_text("# The sail")
            parts = (manus.Text(text="What is this?"), manus.image(PNG), manus.document(f"{directory}/tale.md"))
        question = manus.Turn(role="user", parts=parts)
        async with manus.open_agent(config, keep_books=False) as agent:
            response = await agent.generate(question, seed=7)
            print(response.content, *response.warnings)
            try:
                await agent.generate(question, seed=7, on_unsupported="refuse")
            except manus.InvalidRequestError as error:
                print(error)
    try:
        manus.image(b"BM, and so on")
    except manus.InvalidRequestError as error:
        print(error)


trio.run(main)
