"""The floor around a station, as its cycle sees it: trigger, controller and outputs in one."""

from collections.abc import Sequence

from tenfold.apps.line.controllers import open_wire
from tenfold.apps.line.controllers.controller import Controller
from tenfold.apps.line.outputs import Outputs
from tenfold.apps.line.station import ControllerLight, StationSpec
from tenfold.apps.line.triggers import Source, open_trigger
from tenfold.apps.line.values import Decision, Trigger


class Floor:
    def __init__(self, source: Source, controller: Controller | None, outputs: Outputs) -> None:
        self.source, self.controller, self.outputs = source, controller, outputs
        self._newest: int | None = None

    def wait(self, timeout_s: float) -> Trigger | None:
        """The next part, once it is in place; None: there is none in time."""
        trigger = self.source.wait(timeout_s)
        if trigger is not None:
            self._newest = trigger.sequence
        return trigger

    def put(self, decision: Decision) -> None:
        """Tell the controller, then all others, who never hold it up. What the controller was
        not told is told to the others as not released.

        Raises:
            Unavailable: the controller was not told, and never will be.
        """
        try:
            if self.controller is not None:
                self.controller.put(decision)
        except BaseException:
            lost = Decision(decision.sequence, decision.part, "reject", "controller away")
            self.outputs.put(lost if decision.outcome == "ok" else decision)
            raise
        self.outputs.put(decision)

    def beat(self, count: int, *, is_ready: bool, reason: str) -> None:
        """
        Raises:
            Unavailable: the controller is away.
        """
        self.outputs.beat(count, is_ready=is_ready, reason=reason)
        if self.controller is not None:
            self.controller.beat(count, is_ready=is_ready, reason=reason)

    def stands(self, sequence: int) -> bool:
        """Whether this part is still the one in place: a picture taken just now is its own."""
        if self.controller is not None:
            return self.controller.stands(sequence)
        return self._newest == sequence

    def problem(self) -> str:
        """What keeps parts from coming or leaving; empty: nothing."""
        away = self.controller.problem() if self.controller is not None else ""
        return away or self.source.problem()

    def close(self) -> None:
        self.source.close()
        if self.controller is not None and self.controller is not self.source:
            self.controller.close()
        self.outputs.close()


def open_floor(spec: StationSpec) -> Floor:
    """
    Raises:
        Unsupported: a library is not installed.
        Unavailable: what a trigger listens at is taken. All else is waited for.
    """
    controller = None
    if spec.controller is not None:
        wire = open_wire(spec.controller, controller_lights(spec))
        controller = Controller(wire, late_s=spec.deadline_ms / 1000)
    if spec.trigger.kind == "controller":
        assert controller is not None  # the spec was checked
        return Floor(controller, controller, Outputs(spec.outputs))
    return Floor(open_trigger(spec.trigger), controller, Outputs(spec.outputs))


def controller_lights(spec: StationSpec) -> Sequence[ControllerLight]:
    return [one for one in spec.light if isinstance(one, ControllerLight)]
