import pytest

from tenfold.apps.line.part import load_part, parse_part
from tenfold.errors import NotFound, SpecError

TEXT = """\
part: block-4
reference: block-4.png
align: {motion: affine, ignore: [[0, 0, 5, 5]]}
regions:
  - name: top
    box: [17, 75, 89, 147]
    checks:
      - {check: assembly, head: screws, thing: screw, present: [screw], absent: [hole]}
      - {check: surface, head: scratches}
  - name: edge
    polygon: [[10, 10], [30, 10], [10, 40]]
    checks: [{check: golden}, {check: surface, head: scratches}]
counts:
  - {thing: screw, of: [screw], regions: [top], least: 1, most: 1}
"""


def test_a_part_is_read(tmp_path):
    path = tmp_path / "block-4.yaml"
    path.write_text(TEXT, encoding="utf-8")
    spec = load_part(path)
    assert spec.heads == ("screws", "scratches")
    assert spec.regions[1].bounds == (10, 10, 31, 41)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"gone\.yaml"):
        load_part(tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("box: [17, 75, 89, 147]", "box: [89, 75, 17, 147]", "not left, top, right, bottom"),
        ("box: [17, 75, 89, 147]", "", "needs either `box` or `polygon`"),
        ("name: edge", "name: top", "given twice"),
        ("present: [screw]", "present: [screw, hole]", "cannot mean two things"),
        ("regions: [top]", "regions: [edge]", "which has no assembly check"),
        ("least: 1", "least: 2", "`least` is more than `most`"),
        ("check: golden", "check: magic", "block.yaml:12"),
        ("head: scratches", "haed: scratches", "block.yaml"),
    ],
)
def test_a_mistake_is_told_with_its_line(old, new, message):
    with pytest.raises(SpecError) as told:
        parse_part(TEXT.replace(old, new, 1), where="block.yaml")
    assert message in str(told.value)
    assert "block.yaml:" in str(told.value)
