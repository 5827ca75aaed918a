"""Which language model is asked, how, and what it may cost."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from penchant.config import Settings, parse, read_toml
from penchant.errors import ConfigError, unknown

URL, MODEL, KEY = "PENCHANT_LLM_URL", "PENCHANT_LLM_MODEL", "PENCHANT_LLM_KEY"


class ModelSettings(Settings):
    """A model behind an OpenAI-compatible service; its key is none of the settings.

    url          of the API ("http://localhost:8000/v1")
    model        its name there
    format       how the service is held to the form of a reply: "json_schema" sends the schema for
                 it to keep to; "json_object" asks for any JSON and tells the model the schema;
                 "none" does only the latter. All replies are checked here
    temperature  0 for the likeliest reply; None leaves it to the service
    longest      tokens of a reply; one that is cut there cannot be used
    timeout      seconds for a reply, or for the next piece of one that is streamed
    tries        of a question, the first among them
    wait         seconds before the second try at most, twice as long before each further one; the
                 time is drawn below that. Where the service names a time, that, up to 60
    concurrent   requests under way at once
    tokens       budget: read and written ones in all; None sets none. A request whose prompt would
                 go past it is not sent; replies that are under way may
    money        budget in the currency of the prices
    price_read, price_written   of a million tokens
    users        whether prompts that say anything of a user may be sent
    cache        whether replies are kept on disk; those about a user never are
    """

    url: str
    model: Annotated[str, Field(min_length=1)]
    format: Literal["json_schema", "json_object", "none"] = "json_schema"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    longest: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    tries: Annotated[int, Field(ge=1, le=20)] = 4
    wait: Annotated[float, Field(ge=0, le=60)] = 1.0
    concurrent: Annotated[int, Field(ge=1, le=1000)] = 4
    tokens: Annotated[int, Field(ge=0)] | None = None
    money: Annotated[float, Field(ge=0)] | None = None
    price_read: Annotated[float, Field(ge=0)] = 0.0
    price_written: Annotated[float, Field(ge=0)] = 0.0
    users: bool = False
    cache: bool = True

    @model_validator(mode="after")
    def _priced(self) -> "ModelSettings":
        if self.money is not None and not (self.price_read or self.price_written):
            raise ValueError("money is a budget only with price_read or price_written")
        return self


def settings_of(file: Path | None = None, **overrides: Any) -> ModelSettings | None:
    """Those of a TOML file, else those of the variables PENCHANT_LLM_URL and PENCHANT_LLM_MODEL.

    None where there is no file and neither variable is set. Overrides replace settings by name.
    Raises ConfigError for half a configuration, and for a key in a file, which it does not tell.
    """
    if file is not None:
        data, where = read_toml(file, "the settings of a language model"), str(file)
    else:
        found = {"url": os.environ.get(URL), "model": os.environ.get(MODEL)}
        data, where = {name: text for name, text in found.items() if text}, "the environment"
        if not data:
            return None
    data |= overrides
    for name in data.keys() - ModelSettings.model_fields.keys():
        if any(word in name.lower() for word in ("key", "token", "secret", "password")):
            raise ConfigError(
                f"{where}: expected no {name} among the settings; give the service's key in the "
                f"variable {KEY} alone"
            )
        raise unknown(f"setting of a language model in {where}:", name, ModelSettings.model_fields)
    for name, variable in (("url", URL), ("model", MODEL)):
        if not data.get(name):
            remedy = f"set {variable}" if file is None else f'add {name} = "..." to it'
            raise ConfigError(
                f"{where} names a language model, but not its {name}: expected both url and "
                f"model; {remedy}"
            )
    return parse(ModelSettings, data, where)


def key_from_environment() -> str | None:
    """The service's key, from PENCHANT_LLM_KEY. Raises ConfigError where no header can bear it."""
    return checked_key(os.environ.get(KEY))


def checked_key(key: str | None) -> str | None:
    """The key, or None where it is empty. Raises ConfigError where no header can bear it."""
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigError(
            f"expected a key of plain characters in {KEY}, received others; take line ends and "
            "blanks off it"
        )
    return key or None


def parts_of(url: str) -> tuple[str, str]:
    """Address of an API without its query, which may hold a secret, and the query.

    Raises ConfigError where it is no address.

    >>> parts_of("http://localhost:8000/v1/chat/completions?version=2")
    ('http://localhost:8000/v1', 'version=2')
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        good = good and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(
            "expected the address of an API such as http://localhost:8000/v1, received another "
            f"text; give it whole, and the key in {KEY}"
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path}", parts.query
