"""Files of the catalog to take away."""

from fastapi import FastAPI
from starlette.responses import Response

from tenfold.catalog import models
from tenfold.factory import evidence
from tenfold.web.who import Shown


def attach(app: FastAPI) -> None:
    """Put the routes on the hub's application."""

    @app.get("/console/evidence/{model}.csv", include_in_schema=False)
    def rows(model: str, workspace: Shown) -> Response:
        """What the verdict of a model rests on."""
        found = models.get(workspace.scope, model)
        file = f"evidence-{found.id[:12]}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        text = evidence.of_model(workspace.blobs, found)
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)
