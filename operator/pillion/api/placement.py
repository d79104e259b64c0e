"""Whose pods get the engine, and on which devices and nodes may they run?"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pillion.api.choices import Accelerator, Capacity
from pillion.api.forms import LABEL_KEYS, MAX_INTEGER, DnsLabel, LabelKey, LabelValue, ObjectName
from pillion.api.shape import ATOMIC, SET, ApiModel, Rule, written_as


class TargetRef(ApiModel):
    """The workload whose pods get the engine."""

    api_version: Annotated[str, Field(max_length=64)] = Field(
        "apps/v1", description="The workload's API version. Only apps/v1 is accepted."
    )
    kind: Annotated[str, Field(max_length=63)] = Field(
        "Deployment", description="The workload's kind: Deployment, StatefulSet or DaemonSet."
    )
    name: ObjectName = Field(
        description="The workload's name, in the ModelDeployment's namespace. It may be created later than"
        " the ModelDeployment."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.apiVersion == 'apps/v1' && self.kind in ['Deployment', 'StatefulSet', 'DaemonSet']",
            holds=lambda ref: (
                ref.api_version == "apps/v1" and ref.kind in ("Deployment", "StatefulSet", "DaemonSet")
            ),
            message="must be a Deployment, StatefulSet or DaemonSet of apps/v1; for Jobs, CronJobs, bare"
            " pods and other kinds leave targetRef away and put the label pillion.dev/inject and the"
            " annotation model.pillion.dev/<name> on the pod template yourself",
        ),
    )


class Environment(ApiModel):
    """Which containers are told where the model is."""

    containers: Annotated[tuple[DnsLabel, ...], Field(min_length=1, max_length=64), SET] = Field(
        (), description="The containers that get the variables; absent, all of the pod's own."
    )


class Toleration(ApiModel):
    """A taint that the pods put up with."""

    key: LabelKey | None = Field(None, description="The taint's key; absent with operator Exists, every key.")
    operator: Literal["Exists", "Equal"] | None = Field(
        None, description="Exists for any value, Equal for one; absent, Equal."
    )
    value: LabelValue | None = Field(None, description="The taint's value, for operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The taint's effect; absent, every effect."
    )
    toleration_seconds: Annotated[int, Field(ge=0, le=MAX_INTEGER, strict=True)] | None = Field(
        None,
        description="Seconds until eviction from a node with the taint, for effect NoExecute; absent, no"
        " eviction.",
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            holds=lambda one: one.key is not None or one.operator == "Exists",
            message="must have a key, or the operator Exists for every key",
        ),
        Rule(
            cel="!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            holds=lambda one: one.operator != "Exists" or not one.value,
            message="must not have a value with the operator Exists",
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            holds=lambda one: one.toleration_seconds is None or one.effect == "NoExecute",
            message="must have the effect NoExecute where tolerationSeconds is set",
        ),
    )


Tolerations = Annotated[tuple[Toleration, ...], Field(max_length=32), ATOMIC]


class Hardware(ApiModel):
    """Which devices and nodes may be used."""

    accelerator: Accelerator = Field(
        Accelerator.AUTO,
        description="GPU or CPU; Auto takes CPU where the cluster has no accelerator at all, and for a small"
        " encoder beside a model on accelerators in the same pods; never because all are busy.",
    )
    products: Annotated[
        tuple[
            Annotated[
                str,
                Field(max_length=63),
                written_as(
                    r"^[-A-Za-z0-9._]+$",
                    "must be a product's name as the nodes' labels have it, such as NVIDIA-L4",
                ),
            ],
            ...,
        ],
        Field(max_length=32),
        SET,
    ] = Field(
        (),
        description="The only accelerators that may be used, by the names that the nodes' labels have: NVIDIA-L4, or"
        " NVIDIA-A100-SXM4-40GB-MIG-1g.5gb for a slice and NVIDIA-L4-SHARED for a share. Empty, all whole ones of"
        " NVIDIA; slices, shares and other makers' are used only where they are named.",
    )
    max_per_pod: Annotated[int, Field(ge=1, le=64, strict=True)] = Field(
        1, description="The most accelerators that one pod may take."
    )
    capacity: Capacity = Field(
        Capacity.EXISTING,
        description="Existing counts the accelerators that nodes have now; Autoscaled trusts an autoscaler"
        " to add nodes like them, and with the products that are named here.",
    )
    node_selector: Annotated[dict[str, LabelValue], Field(max_length=32), LABEL_KEYS] = Field(
        default_factory=dict, description="Labels that a node must have, beside what the pod itself asks for."
    )
    tolerations: Tolerations = Field((), description="Tolerations that the pods get with the engine.")
    runtime_class_name: ObjectName | None = Field(
        None,
        description="The RuntimeClass that the pods get with the engine, where the cluster needs one for its"
        " accelerators.",
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.accelerator != 'CPU' || !has(self.products) || self.products.size() == 0",
            holds=lambda hardware: hardware.accelerator != Accelerator.CPU or not hardware.products,
            message="must be empty with accelerator CPU: products name accelerators",
            path=".products",
        ),
    )
