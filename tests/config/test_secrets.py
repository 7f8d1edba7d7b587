"""A secret is never seen, whatever is done with the thing that holds it."""

from __future__ import annotations

import copy
import io
import json
import pickle
import traceback
from pathlib import Path

import msgspec
import msgspec.inspect
import pytest

from manus.config.check import check_text
from manus.config.load import load, load_file
from manus.config.problems import InvalidConfig, errors_of
from manus.config.schema import SECRET_FIELDS, EntraConfig, KeyConfig, LLMConfig, ProviderConfig
from manus.config.secrets import Secret
from manus.config.show import show
from manus.proving import secrets_of_entry

CANARY = "sk-canary-7f3a91"

FILE = f"""\
[providers.openai]
api_key = "{CANARY}"
headers = {{ X-Team = "{CANARY}" }}
proxy = "http://user:{CANARY}@proxy.example:3128"
models = [{{ name = "m" }}]
[providers.second]
type = "openai"
api_keys = ["{CANARY}", "${{KEY}}"]
[providers.anthropic]
auth_token = "{CANARY}"
[providers.bedrock]
region = "us-east-1"
aws_access_key_id = "{CANARY}"
aws_secret_access_key = "{CANARY}"
aws_session_token = "{CANARY}"
[providers.azure]
base_url = "https://r.openai.azure.com"
entra = {{ tenant = "t", client_id = "c", client_secret = "{CANARY}" }}
"""


@pytest.fixture
def config() -> LLMConfig:
    checked = check_text(FILE, file="llm.toml", environ={"KEY": f"{CANARY}-2"}, base=Path())
    assert errors_of(checked.problems) == ()
    return checked.config


def test_reveal_gives_the_value(config: LLMConfig) -> None:
    key = config.providers["openai"].api_key
    assert key is not None
    assert key.reveal() == CANARY


def test_no_rendering_of_a_secret_shows_it() -> None:
    secret = Secret(CANARY, source="${KEY}")
    renderings = [repr(secret), str(secret), f"{secret}", f"{secret!s:>80}", f"{secret!r}", "%s" % secret]  # noqa: UP031
    for rendering in renderings:
        assert CANARY not in rendering
        assert "${KEY}" in rendering


def test_no_rendering_of_a_configuration_shows_a_secret(config: LLMConfig) -> None:
    for rendering in (repr(config), str(config), show(config), repr(msgspec.structs.asdict(config))):
        assert CANARY not in rendering


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol: int, config: LLMConfig) -> None:
    for holder in (Secret(CANARY), config):
        stream = io.BytesIO()
        with pytest.raises(TypeError, match="never pickled"):
            pickle.Pickler(stream, protocol).dump(holder)
        assert CANARY.encode() not in stream.getvalue()


def test_a_secret_cannot_be_written_as_json(config: LLMConfig) -> None:
    for encode in (json.dumps, msgspec.json.encode, msgspec.to_builtins, msgspec.msgpack.encode):
        for holder in (Secret(CANARY), config):
            with pytest.raises(TypeError) as caught:
                encode(holder)
            assert CANARY not in str(caught.value)


def test_copies_are_the_secret_itself() -> None:
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"key": secret})["key"] is secret


def test_secrets_are_equal_when_their_values_are() -> None:
    assert Secret("a", source="x") == Secret("a", source="y")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("a"))
    assert not Secret("")


def test_a_traceback_through_a_secret_does_not_show_it() -> None:
    def broken(secret: Secret) -> None:
        raise ValueError(f"cannot use {secret}")

    try:
        broken(Secret(CANARY))
    except ValueError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert CANARY not in shown


def test_keys_that_a_program_writes_as_text_are_hidden_at_once() -> None:
    entry = ProviderConfig(
        api_key=CANARY,  # type: ignore[arg-type]  # what a hurried caller does
        headers={"X": CANARY},  # type: ignore[dict-item]
        api_keys=[CANARY, KeyConfig(key=CANARY + "2")],  # type: ignore[list-item, arg-type]
        proxy=CANARY,  # type: ignore[arg-type]
        auth_token=CANARY,  # type: ignore[arg-type]
        aws_secret_access_key=CANARY,  # type: ignore[arg-type]
        entra=EntraConfig(client_secret=CANARY),  # type: ignore[arg-type]
    )
    assert CANARY not in repr(entry)
    assert entry.api_key == Secret(CANARY)


def every_key_of_the_schema() -> list[tuple[str, str]]:
    """Name every table and key that can hold a single value."""
    found: list[tuple[str, str]] = []
    config = LLMConfig()
    for name in config.__struct_fields__:
        section = getattr(config, name)
        if isinstance(section, msgspec.Struct):
            found.extend((name, key) for key in section.__struct_fields__)
        elif name != "providers":
            found.append(("general", name))
    found.extend(("providers.openai", key) for key in ProviderConfig.__struct_fields__)
    found.extend(("providers.azure.entra", key) for key in EntraConfig.__struct_fields__)
    return found


@pytest.mark.parametrize(("table", "key"), every_key_of_the_schema())
def test_no_problem_shows_what_stands_in_the_wrong_place(table: str, key: str) -> None:
    """A key pasted anywhere in a file, into every value in turn, appears in no problem and no view."""
    text = f'[{table}]\n{key} = "{CANARY}"\nunknown = "{CANARY}"\n'
    for environ, written in (({}, text), ({"KEY": CANARY}, text.replace(CANARY, "${KEY}"))):
        checked = check_text(written, file="llm.toml", environ=environ, base=Path())
        assert checked.problems
        shown = "\n".join([*map(str, checked.problems), repr(checked.problems), str(InvalidConfig(checked.problems))])
        assert CANARY not in shown
        assert CANARY.encode() not in pickle.dumps(InvalidConfig(checked.problems))


def test_a_key_file_is_read_and_its_line_end_dropped(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CANARY + "\n")
    (tmp_path / "llm.toml").write_text('[providers.openai]\napi_key = { file = "key" }\n')

    loaded = load_file(tmp_path / "llm.toml", environ={})

    key = loaded.config.providers["openai"].api_key
    assert key == Secret(CANARY)
    assert CANARY not in repr(loaded)
    assert "file key" in repr(key)


def test_a_key_file_without_end_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="that is no key"):
        load({"providers": {"openai": {"api_key": {"file": "/dev/zero"}}}}, environ={})


def test_every_field_that_holds_a_secret_is_in_the_table_of_them(config: LLMConfig) -> None:
    """What is struck out of texts from outside is listed by field; a new secret must not be forgotten there."""
    fields = msgspec.inspect.type_info(ProviderConfig)
    assert isinstance(fields, msgspec.inspect.StructType)
    holding = {field.name for field in fields.fields if "Secret" in repr(field.type) and field.name != "entra"}
    assert holding == set(SECRET_FIELDS)
    secrets = [secret for entry in config.providers.values() for secret in secrets_of_entry(entry)]
    assert len(secrets) == FILE.count(CANARY) + 1
