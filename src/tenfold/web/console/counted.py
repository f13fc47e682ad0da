"""What is in datasets, counted once until a picture comes or goes."""

from collections import OrderedDict

from tenfold.catalog import gallery
from tenfold.catalog.gallery import Facets, Portion
from tenfold.workspace import Workspace

REMEMBERED = 256
_known: OrderedDict[tuple[str, str, str, tuple[int, int]], list[Portion]] = OrderedDict()


def facets(workspace: Workspace, name: str) -> Facets:
    """As `gallery.facets`, quicker the second time."""
    return gallery.facets_of(portions(workspace, name))


def portions(workspace: Workspace, name: str) -> list[Portion]:
    """As `gallery.portions`, quicker the second time."""
    scope = workspace.scope
    key = (str(workspace.settings.home), scope.tenant, name, gallery.mark(scope, name))
    found = _known.get(key)
    if found is None:
        found = _known[key] = gallery.portions(scope, name)
        if len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return found
