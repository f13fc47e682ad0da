"""Numbers as people read them. Upper bounds round up: a claim may be weaker than the truth only."""

import math

THIN = "\u202f"  # narrow space that does not break, between a number and its unit


def percent(share: float | None) -> str:
    """`0.0412` → `4.1 %`; None → a dash."""
    return "–" if share is None else f"{round(share * 1000) / 10:g}{THIN}%"


def percent_up(share: float | None) -> str:
    """Like `percent`, never less than the truth."""
    if share is None:
        return "–"
    per_mille = math.ceil(round(share * 1000, 6))  # 0.041 * 1000 is a hair above 41
    return f"{per_mille / 10:g}{THIN}%"


def count(number: int) -> str:
    return f"{number:,}".replace(",", THIN)


def duration(seconds: float) -> str:
    """`0.0042` → `4 ms`, `75` → `1 min 15 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}{THIN}ms"
    if seconds < 60:
        return f"{seconds:.1f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest}{THIN}s"
    return f"{minutes // 60}{THIN}h {minutes % 60}{THIN}min"


def size(number: int) -> str:
    """`21300` → `21.3 kB` (powers of 1000)."""
    value = float(number)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g}{THIN}{unit}"
        value /= 1000
    return f"{value:.3g}{THIN}GB"


def plural(number: int, noun: str, many: str = "") -> str:
    """`1 picture`, `2 pictures`, `0 pictures`."""
    return f"{count(number)} {noun if number == 1 else many or noun + 's'}"


def unbroken(text: str) -> str:
    """The same sentence with its numbers kept on one line with their signs."""
    return text.replace(" %", f"{THIN}%").replace("≤ ", "≤\u00a0").replace("≥ ", "≥\u00a0")


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
