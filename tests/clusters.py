"""A real Ray cluster of several machines, all of which are this one."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

RAY_MEMORY_MB = 1000
TESTS = Path(__file__).parent
PATHS = os.pathsep.join(map(str, (TESTS, TESTS / "contracts")))
"""Where the processes of an engine find the functions of the tests."""


@contextmanager
def three_machines() -> Generator[Any]:
    """Machines with one, one and two cores; workers find the modules of the tests."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'tenfold[ray]'")
    import_module("tenfold.engine.ray_cluster")  # quietens Ray before its first import
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PATHS)
        cluster = Cluster()
        for cores in (1, 1, 2):
            add_machine(cluster, cores)
        yield cluster
    cluster.shutdown()


def add_machine(cluster: Any, cores: int) -> Any:
    return cluster.add_node(num_cpus=cores, memory=RAY_MEMORY_MB * 1024**2, include_dashboard=False)
