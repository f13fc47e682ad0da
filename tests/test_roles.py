from itertools import pairwise

import pytest

from tenfold.errors import SpecError
from tenfold.roles import LEAST, ROLES, action_of, actions_of, may, role_of


def test_each_role_may_do_what_those_before_it_may():
    assert ROLES == ("caller", "viewer", "labeller", "engineer", "owner")
    allowed = [set(actions_of(role)) for role in ROLES]
    assert all(less < more for less, more in pairwise(allowed))
    assert allowed[0] == {"ask"}
    assert allowed[-1] == set(LEAST)


def test_what_each_role_may_not():
    assert not may("caller", "show")
    assert not may("viewer", "label")
    assert not may("labeller", "deploy")
    assert not may("labeller", "activity")
    assert not may("engineer", "accounts")


def test_unknown_words_name_what_there_is():
    assert (role_of("viewer"), action_of("make")) == ("viewer", "make")
    with pytest.raises(SpecError, match="caller, viewer, labeller, engineer, owner"):
        role_of("admin")
    with pytest.raises(SpecError, match="accounts"):
        action_of("explode")
