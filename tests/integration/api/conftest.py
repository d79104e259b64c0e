"""What do the tests of the API share? Our kinds on a real API server, and a way to hear what it says of an object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client

from tests.cluster import processes

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[3] / "crds"
GROUP, VERSION = "pillion.dev", "v1alpha1"
PLURALS = {"ModelDeployment": "modeldeployments", "ModelSidecar": "modelsidecars"}

Raw = dict[str, Any]
Objects = (
    Any  # a CustomObjectsApi, whose answers are objects to a type checker and mappings to everybody else
)


class RefusedError(Exception):
    """The API server did not accept an object; the text is what it says to a user."""


@pytest.fixture(scope="session")
def objects(kubectl: Callable[..., str], api_client: client.ApiClient) -> Objects:
    """A client of our kinds, once they are served."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(FOLDER))
    made = client.CustomObjectsApi(api_client)
    assert processes.wait_until(lambda: _served(made), seconds=15), "our kinds are not served"
    return made


def _served(objects: Objects) -> bool:
    try:
        for plural in PLURALS.values():
            objects.list_namespaced_custom_object(GROUP, VERSION, "default", plural)
    except client.ApiException:
        return False
    return True


@pytest.fixture(scope="session")
def tried(objects: Objects) -> Callable[..., Raw]:
    """What the API server would store of an object; nothing is stored, and a refusal is a `RefusedError`."""

    def create(raw: Raw, *, field_validation: str = "Strict") -> Raw:
        try:
            stored: Raw = objects.create_namespaced_custom_object(
                GROUP,
                VERSION,
                "default",
                PLURALS[raw["kind"]],
                raw,
                dry_run="All",
                field_validation=field_validation,
            )
        except client.ApiException as error:
            raise RefusedError(json.loads(error.body or "{}")["message"]) from error
        return stored

    return create
