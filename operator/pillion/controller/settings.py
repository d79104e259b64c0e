"""What can be set for one operator, and from where?

Everything comes from environment variables (the chart's values set them), each with a default that works.
"""

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from pillion.facts import trusted

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Settings of the operator; `PILLION_` stands before each variable unless another name is given."""

    model_config = SettingsConfigDict(env_prefix="PILLION_", extra="ignore", frozen=True)

    namespace: str = Field(
        default="pillion-system", description="The operator's own namespace: its lease is there."
    )
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics; 0: any."
    )
    http_host: str = Field(default="0.0.0.0", description="Address that the port is opened on.")  # noqa: S104 - in a pod
    leader_election: bool = Field(
        default=True, description="Whether a Lease decides which of several operators acts."
    )
    log_format: str = Field(default="text", pattern="^(text|json)$", description="text or json.")
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="How much is logged."
    )
    workers: int = Field(default=16, ge=1, le=256, description="ModelDeployments that are worked on at once.")
    hub_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices("HF_ENDPOINT", "PILLION_HUB_ENDPOINT"),
        description="Address of the Hub or of a mirror; engines use it too. Absent: https://huggingface.co.",
    )
    hub_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long one request to the Hub may take."
    )
    trusted_publishers: str = Field(
        default=",".join(trusted.PUBLISHERS),
        description="Publishers on the Hub, with commas between, whose quantizations of a model may be chosen (spec."
        "quantization.checkpoints: TrustedPublishers), beside the model's own.",
    )
    engine_image_gpu: str | None = Field(
        default=None, description="Image of the engine on GPUs; absent: pinned."
    )
    engine_image_cpu: str | None = Field(
        default=None, description="Image of the engine on CPU; absent: pinned."
    )
    eviction_interval_seconds: float = Field(
        default=10.0,
        ge=0,
        description="Least time between two evictions of pods that lack their engine, by model.",
    )

    @property
    def publishers(self) -> tuple[str, ...]:
        """The trusted publishers, one by one."""
        return tuple(name for part in self.trusted_publishers.split(",") if (name := part.strip()))

    @property
    def engine_images(self) -> dict[str, str]:
        """The images that are set, by device."""
        found = {"GPU": self.engine_image_gpu, "CPU": self.engine_image_cpu}
        return {device: image for device, image in found.items() if image}
