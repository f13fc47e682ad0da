from tenfold.factory.ladder import LADDERS, VIEWS_OF, reading, rungs_for
from tenfold.heads import recipe


def test_every_rung_names_a_head_of_its_kind_with_parameters_it_takes():
    for kind, rungs in LADDERS.items():
        assert len({rung.name for rung in rungs}) == len(rungs)
        for rung in rungs:
            assert rung.recipe.startswith(f"{kind}_")
            recipe(rung.recipe, **rung.params)


def test_views_are_read_only_where_the_task_declares_symmetry():
    plain, flips, dihedral = (rungs_for("classify", s) for s in ("none", "flips", "dihedral"))
    assert {rung.name for rung in plain} < {rung.name for rung in dihedral}
    assert {given.views for rung in plain for given in rung.inputs} == {(0,)}
    assert all(
        set(given.views) <= set(VIEWS_OF["flips"]) for rung in flips for given in rung.inputs
    )
    assert max(len(given.views) for given in dihedral[-1].inputs) > 1


def test_inputs_of_one_rung_have_equally_many_views():
    for symmetry in VIEWS_OF:
        for rung in rungs_for("classify", symmetry):
            assert len({len(given.views) for given in rung.inputs}) == 1


def test_multi_label_reaches_every_recipe():
    assert all(r.params["multi_label"] for r in rungs_for("classify", "none", multi_label=True))


def test_a_smaller_canvas_keeps_the_trunk_and_leaves_out_what_needs_several():
    for kind, symmetry in (("classify", "dihedral"), ("anomaly", "none")):
        rungs = reading(rungs_for(kind, symmetry), trunk=None, size_px=96)
        read = [given for rung in rungs for given in rung.inputs]
        assert {(given.trunk, given.size_px) for given in read} == {("efficientnet_lite2", 96)}
        assert len({(rung.recipe, str(rung.params)) for rung in rungs}) == len(rungs)


def test_another_trunk_is_read_at_its_own_size_where_none_is_given():
    (linear, *_) = reading(rungs_for("classify", "none"), trunk="tiny", size_px=None)
    assert [(given.trunk, given.size_px) for given in linear.inputs] == [("tiny", None)]
