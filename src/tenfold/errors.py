"""Every error this package raises on purpose, sorted by what the reader can do about it."""


class TenfoldError(Exception):
    """Root of all. Says what is wrong, `where`, and what to do next (`hint`).

    Subclasses add no constructor: errors cross process borders (Ray, the job table),
    and unpickling calls `cls(*args)`.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.hint}" if self.hint else ""
        return f"{place}{self.args[0]}{advice}"


class SpecError(TenfoldError):
    """A spec file says something impossible. Fix the file."""


class DataError(TenfoldError):
    """The data contradicts itself or its format. Fix the data."""


class NotFound(TenfoldError):
    """Nothing goes by that name. Check the name, or make the thing first."""


class Conflict(TenfoldError):
    """The thing exists already, or changed meanwhile. Look, then choose."""


class Unsupported(TenfoldError):
    """This cannot be done this way here. Choose another way."""


class Unavailable(TenfoldError):
    """Something that should answer does not. Try later."""


class NotAllowed(TenfoldError):
    """This actor may not do that. Ask someone who may."""


class IntegrityError(TenfoldError):
    """Stored bytes are not what was written. Stop, and restore them."""
