"""A station as people write it down; what is wrong in it is told with its line."""

import pytest

from tenfold.apps.line.station import load_station, parse
from tenfold.errors import SpecError

WHOLE = """\
station: press-3
trigger: {kind: controller}
controller:
  kind: opcua
  url: opc.tcp://10.0.0.5:4840/
  tags:
    prefix: ns=2;s=Press3.
    serial: ns=2;s=Mes.serial
camera:
  kind: genicam
  address: 10.0.1.9
  exposure_us: 4000
  gain_db: 2.5
  trigger: Line0
  lead_ms: 30
light:
  - {kind: controller, name: ring, tag: ns=2;s=Light.ring, value: 80}
  - {kind: camera, name: back, line: Line1}
identity:
  by: code
  formats: [DataMatrix]
  pattern: (?P<part>\\d+)-(?P<serial>\\w+)
deadline_ms: 200
outputs:
  - {kind: mqtt, host: broker, topic: plant/press-3}
  - {kind: webhook, url: https://mes/verdicts, timeout_s: 1}
retention: {rejects_days: 400, ok_share: 0.02, ok_days: 30}
"""


def test_a_whole_station_is_read():
    spec = parse(WHOLE, where="press.yaml")
    assert spec.controller.tags.of("release_part") == "ns=2;s=Press3.release_part"
    assert spec.controller.tags.of("serial") == "ns=2;s=Mes.serial"
    assert spec.camera.lead_ms == 30
    assert [one.kind for one in spec.outputs] == ["mqtt", "webhook"]


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("url: opc.tcp://10.0.0.5:4840/", "url: 10.0.0.5"), 5, "controller.opcua.url"),
        (("exposure_us: 4000", "exposure_us: fast"), 12, "a number is expected, got 'fast'"),
        (("exposure_us: 4000", "exposure_ms: 4"), 12, "there is no such key"),
        (("    prefix: ns=2;s=Press3.\n", ""), 6, "no tag for sequence, part, verdict"),
        (("kind: genicam", "kind: webcam"), 9, "one of 'folder', 'stream', 'genicam'"),
        (("  kind: genicam\n", ""), 9, "its `kind` must be given"),
        (("value: 80", "value: 80000"), 17, "at most 65535"),
        (("(?P<part>\\d+)", "("), 22, "not a regular expression"),
        (("(?P<part>\\d+)-(?P<serial>\\w+)", ".*"), 19, "needs named groups"),
        (("timeout_s: 1", "timeout_s: 0"), 26, "above 0"),
        (("{kind: controller}", "{kind: timer, every_s: 1}"), 1, "does not know the controller's"),
        (("deadline_ms: 200\n", ""), 1, "it must be given"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(change, line, message):
    assert change[0] in WHOLE
    with pytest.raises(SpecError) as caught:
        parse(WHOLE.replace(*change), where="press.yaml")
    assert caught.value.where == f"press.yaml:{line}"
    assert message in caught.value.args[0]


def test_registers_must_not_overlap():
    text = (
        "station: a\ntrigger: {kind: controller}\ncamera: {kind: stream, url: /dev/video0}\n"
        "deadline_ms: 100\ncontroller:\n  kind: modbus\n  host: plc\n  registers: {part: 1}\n"
    )
    with pytest.raises(SpecError, match="'sequence' at 0 reaches into 'part' at 1") as caught:
        parse(text, where="a.yaml")
    assert caught.value.where == "a.yaml:8"


def test_folders_are_found_from_where_the_file_is(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "station: a\ntrigger: {kind: folder, path: in}\n"
        "camera: {kind: folder, path: /pictures}\ndeadline_ms: 100\n"
    )
    spec = load_station(path)
    assert str(spec.trigger.path) == str(tmp_path / "in")
    assert str(spec.camera.path) == "/pictures"
