"""Who may do what: roles from the least to the most, and the least that each action needs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from tenfold.errors import SpecError

Role = Literal["caller", "viewer", "labeller", "engineer", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""

Action = Literal[
    "ask",
    "show",
    "label",
    "activity",
    "approve",
    "deploy",
    "ingest",
    "make",
    "accounts",
    "prices",
]

LEAST: Mapping[Action, Role] = MappingProxyType(
    {
        "ask": "caller",
        "show": "viewer",
        "label": "labeller",
        "activity": "engineer",
        "approve": "engineer",
        "deploy": "engineer",
        "ingest": "engineer",
        "make": "engineer",
        "accounts": "owner",
        "prices": "owner",
    }
)
"""`ask`: what deployments answer; `show`: everything that was made and decided; `label`: what
people say of pictures, missed defects too; `activity`: who did what; `accounts`: people and keys;
`prices`: what things cost and how many people there are.
"""


def may(role: Role, action: Action) -> bool:
    """Whether a role is enough."""
    return ROLES.index(role) >= ROLES.index(LEAST[action])


def actions_of(role: Role) -> tuple[Action, ...]:
    """Everything that a role may do."""
    return tuple(action for action in LEAST if may(role, action))


def role_of(word: str) -> Role:
    """The role of that name.

    Raises:
        SpecError: there is none.
    """
    for role in ROLES:
        if role == word:
            return role
    raise SpecError(f"expected one of {', '.join(ROLES)}, got {word!r}.", where="role")


def action_of(word: str) -> Action:
    """The action of that name.

    Raises:
        SpecError: there is none.
    """
    for action in LEAST:
        if action == word:
            return action
    raise SpecError(f"expected one of {', '.join(LEAST)}, got {word!r}.", where="action")
