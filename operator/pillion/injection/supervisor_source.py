"""How does the supervisor get into the engines' containers?

Its source is one immutable ConfigMap for each namespace and content: an upgraded operator adds another one,
and running plans go on naming theirs. The volume is optional, because a pod that outlives everything must
still be able to start its application.
"""

import hashlib
from functools import cache
from importlib.resources import files

from pillion.api import names
from pillion.injection.pods import Raw

SUPERVISOR_LABELS = {
    "app.kubernetes.io/managed-by": names.FIELD_MANAGER,
    "app.kubernetes.io/component": "supervisor",
}
SUPERVISOR_SELECTOR = ",".join(f"{key}={value}" for key, value in sorted(SUPERVISOR_LABELS.items()))


@cache
def source() -> str:
    """The program itself, as the package brings it."""
    return (files("pillion.supervisor") / names.SUPERVISOR_FILE).read_text("utf-8")


@cache
def config_map_name() -> str:
    """Named by its content, so that immutability never stands in the way."""
    digest = hashlib.sha256(source().encode()).hexdigest()
    return f"{names.SUPERVISOR_CONFIG_MAP_PREFIX}{digest[:12]}"


def config_map(namespace: str) -> Raw:
    """The ConfigMap that every ModelSidecar of the namespace and of this version of the operator names."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map_name(),
            "namespace": namespace,
            "labels": dict(SUPERVISOR_LABELS),
        },
        "immutable": True,
        "data": {names.SUPERVISOR_FILE: source()},
    }
