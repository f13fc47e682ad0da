"""Where and how Tenfold runs on this machine; the only reader of the environment."""

import getpass
import os
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from tenfold.errors import SpecError

RuntimeName = Literal["openvino", "onnxruntime"]
PrecisionChoice = Literal["auto", "fp32", "bf16", "int8"]

SECRETS = (
    re.compile(r"(://[^/?#:@]*:).*(?=@)"),
    re.compile(r"([?&][^=&#]*(?:passw|secret|token|key)[^=&#]*=)[^&#]*", re.IGNORECASE),
)


def masked(url: str) -> str:
    """The URL without its password, to be printed."""
    for secret in SECRETS:
        url = secret.sub(r"\1***", url)
    return url


def _setting(default: Any, text: str, *, may_hold_secrets: bool = False) -> Any:
    return field(default=default, metadata={"help": text}, repr=not may_hold_secrets)


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is read from `TENFOLD_<NAME>`; `tenfold doctor` prints them with their help."""

    home: Path = _setting(Path("~/.tenfold"), "Folder that holds everything Tenfold keeps.")
    tenant: str = _setting("local", "Whose data commands read and write.")
    actor: str = _setting("", "Who is written beside each change; default: the login name.")
    runtime: RuntimeName = _setting("openvino", "What runs the trunk: openvino or onnxruntime.")
    precision: PrecisionChoice = _setting(
        "auto", "fp32, bf16 or int8; auto takes what `tenfold doctor` chose, else fp32."
    )
    threads: int = _setting(0, "Cores to use; 0 means all that this process may use.")
    features_gb: float = _setting(20.0, "Disk for cached features; the oldest-used go first.")
    answers_days: int = _setting(400, "Days for which answers are kept; 0 means for ever.")
    max_megapixels: float = _setting(120.0, "Pictures larger than this are quarantined.")
    catalog: str = _setting(
        "", "URL of the PostgreSQL catalog; empty: SQLite in the home.", may_hold_secrets=True
    )
    blobs: str = _setting(
        "",
        "Where pictures and packs are kept, s3://bucket/prefix; empty: a folder in the home.",
        may_hold_secrets=True,
    )
    features: str = _setting(
        "",
        "Where features are shared, s3://bucket/prefix; empty: this machine keeps its own.",
        may_hold_secrets=True,
    )
    patience_s: float = _setting(300.0, "How long to wait for a catalog or store that is away.")
    prices: str = _setting(
        "", "Price file (YAML) of the ledger; empty: saved prices, else built in."
    )
    uploads_days: float = _setting(
        7.0, "Days after which the hub removes uploads and what jobs told; 0: never."
    )
    headcount: str = _setting(
        "", "Headcount file (YAML) for models per person; empty: what was saved."
    )

    @property
    def cores(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))

    def told(self) -> tuple[tuple[str, str, str], ...]:
        """(variable, value now, what it is) of each, with no secret in it."""
        return tuple(
            (f"TENFOLD_{f.name.upper()}", masked(str(getattr(self, f.name))), f.metadata["help"])
            for f in fields(self)
        )


def from_environment(**overrides: Any) -> Settings:
    """Settings from `TENFOLD_*`, then `overrides` that are not None.

    Raises:
        SpecError: a variable has an unknown name or an impossible value.
    """
    known = {f"TENFOLD_{f.name.upper()}": f for f in fields(Settings)}
    values: dict[str, Any] = {}
    for name, text in os.environ.items():
        if not name.startswith("TENFOLD_"):
            continue
        if name not in known:
            raise SpecError(
                f"there is no setting {name}.", where="environment", hint="See `tenfold doctor`."
            )
        values[known[name].name] = _parsed(name, text, known[name].type)
    values |= {name: value for name, value in overrides.items() if value is not None}
    settings = replace(Settings(), **values)
    home = Path(settings.home).expanduser().absolute()
    return replace(settings, home=home, actor=settings.actor or getpass.getuser())


def _parsed(name: str, text: str, kind: Any) -> Any:
    choices = get_args(kind)
    if choices and text not in choices:
        raise SpecError(
            f"expected one of {', '.join(choices)}, got {text!r}.", where=f"environment {name}"
        )
    if choices:
        return text
    try:
        value = kind(text)
    except ValueError as error:
        raise SpecError(
            f"expected {kind.__name__}, got {text!r}.", where=f"environment {name}"
        ) from error
    if kind in (int, float) and not 0 <= value < float("inf"):
        raise SpecError(f"expected 0 or more, got {text!r}.", where=f"environment {name}")
    return value
