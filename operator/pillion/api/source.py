"""Which model is meant, and where do its files come from?"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from pillion.api.choices import Task
from pillion.api.forms import Flag, KeyName, ObjectName, RelativePath
from pillion.api.shape import SET, ApiModel, Rule, written_as

MAX_REPO_LENGTH: Final = 193  # two names of at most 96 characters, as the Hub has them, and the slash


_REPO_FORM: Final = r"^[A-Za-z0-9][-A-Za-z0-9._]{0,95}/[A-Za-z0-9][-A-Za-z0-9._]{0,95}$"
_HAS_SCHEME: Final = r"^[A-Za-z][A-Za-z0-9+.-]*://"
_HAS_HOST: Final = r"^(www\.)?(huggingface\.co|hf\.co)/"
_HAS_TAG: Final = r"^[^:/]+(/[^:/]+)?:[^/].*$"
_HAS_REVISION: Final = r"^[^@:]+@.*$"

_address = written_as(_HAS_SCHEME, "")
_host = written_as(_HAS_HOST, "")
_tag = written_as(_HAS_TAG, "")
_revision = written_as(_HAS_REVISION, "")


def _none_of(*forms: Rule) -> str:
    return " && ".join(f"!{form.cel}" for form in forms)


REPO_IS_NO_ADDRESS: Final = Rule(
    cel=_none_of(_address, _host),
    holds=lambda repo: not (_address.holds(repo) or _host.holds(repo)),
    message="must be owner/name as on the Hub, without https://, hf:// or a host: write Qwen/Qwen3-8B"
    " (another Hub's address is the operator's setting, not the model's)",
)
REPO_HAS_NO_TAG: Final = Rule(
    cel=_none_of(_tag),
    holds=lambda repo: not _tag.holds(repo),
    message="must be owner/name as on the Hub, not name:tag as other registries have it: write"
    " Qwen/Qwen3-8B; sizes are repositories of their own, and quantization is chosen by spec.quantization",
)
REPO_HAS_NO_REVISION: Final = Rule(
    cel=_none_of(_revision),
    holds=lambda repo: not _revision.holds(repo),
    message="must be owner/name alone: a branch, tag or commit goes into spec.model.revision",
)
REPO_IS_OWNER_AND_NAME: Final = Rule(
    cel=f"{_address.cel} || {_host.cel} || {_tag.cel} || {_revision.cel} || {written_as(_REPO_FORM, '').cel}",
    holds=lambda repo: (
        _address.holds(repo)
        or _host.holds(repo)
        or _tag.holds(repo)
        or _revision.holds(repo)
        or written_as(_REPO_FORM, "").holds(repo)
    ),
    message="must be owner/name as on the Hub, with letters, digits, '-', '_' and '.': for example"
    " Qwen/Qwen3-8B",
)  # holds for what the rules above refuse, so that one mistake brings one message

Repo = Annotated[
    str,
    Field(max_length=MAX_REPO_LENGTH),
    REPO_IS_NO_ADDRESS,
    REPO_HAS_NO_TAG,
    REPO_HAS_NO_REVISION,
    REPO_IS_OWNER_AND_NAME,
]
ServedName = Annotated[
    str,
    Field(max_length=256),
    written_as(r"^[-A-Za-z0-9._:/@+]+$", "must be a name without spaces, such as gpt-4o or Qwen/Qwen3-8B"),
]


class SecretKey(ApiModel):
    """One value of a Secret."""

    name: ObjectName = Field(description="The Secret's name, in the ModelDeployment's namespace.")
    key: KeyName = Field(description="The key of the value in the Secret's data.")


class ClaimPath(ApiModel):
    """A folder on a persistent volume claim."""

    claim_name: ObjectName = Field(description="The claim's name, in the ModelDeployment's namespace.")
    sub_path: RelativePath | None = Field(
        None,
        description="The folder on the volume; absent, the volume's root. It may not start with '/' or"
        " contain '..'.",
    )


class ImageVolume(ApiModel):
    """An OCI image whose files are the model."""

    reference: Annotated[
        str,
        Field(max_length=512),
        written_as(
            r"^[^\s]+$",
            "must be an image's reference without spaces, such as registry.example.com/models/chat:1",
        ),
    ] = Field(
        description="The image's reference, mounted read-only as it is: the model's files are at its root."
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None,
        description="When the image is pulled; absent, Always for the tag latest and IfNotPresent otherwise.",
    )


class Cache(ApiModel):
    """Where weights are kept."""

    persistent_volume_claim: ClaimPath = Field(
        description="A claim that keeps the weights; pods that share it download once. The engine's user"
        " must be able to write it."
    )


class Model(ApiModel):
    """Which model."""

    repo: Repo | None = Field(
        None,
        description="The model's repository on the Hub, as owner/name. Exactly one of repo,"
        " persistentVolumeClaim and image is set.",
    )
    revision: (
        Annotated[
            str,
            Field(max_length=255),
            written_as(r"^[-A-Za-z0-9._/]+$", "must be a branch, a tag or a commit, such as main"),
        ]
        | None
    ) = Field(
        None,
        description="A branch, tag or commit of repo; absent, main. It is resolved to a commit, which"
        " status.plan.commit records.",
    )
    variants: Annotated[tuple[Repo, ...], Field(max_length=16), SET] = Field(
        (),
        description="Further checkpoints of the same model, quantized ones above all, that the planner may"
        " choose instead of repo.",
    )
    token_secret_ref: SecretKey | None = Field(
        None,
        description="The Hub token for gated and private repositories. Only the engine's container and the"
        " operator's look-up use it.",
    )
    persistent_volume_claim: ClaimPath | None = Field(
        None,
        description="A claim that has the model's files, in a folder as the Hub would give them. It is"
        " mounted read-only.",
    )
    image: ImageVolume | None = Field(
        None, description="An OCI image that has the model's files. It is mounted as a volume."
    )
    served_names: Annotated[tuple[ServedName, ...], Field(min_length=1, max_length=16), SET] = Field(
        (),
        description="The names under which the engine serves the model; absent, the object's own name. The"
        " first is told to applications.",
    )
    task: Task = Field(
        Task.AUTO, description="What the model is used for; Auto takes it from the model's configuration."
    )
    trust_remote_code: Flag = Field(
        default=False,
        description="Whether Python code from the model's repository may run in the engine's container,"
        " inside the application's pod.",
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="[has(self.repo), has(self.persistentVolumeClaim), has(self.image)].filter(x, x).size() == 1",
            holds=lambda model: (
                sum(source is not None for source in (model.repo, model.persistent_volume_claim, model.image))
                == 1
            ),
            message="must have exactly one source: repo, persistentVolumeClaim or image",
        ),
        Rule(
            cel="has(self.repo) || !has(self.revision)",
            holds=lambda model: model.repo is not None or model.revision is None,
            message="must not be set without repo: a claim or an image has no revisions",
            path=".revision",
        ),
        Rule(
            cel="has(self.repo) || !has(self.variants) || self.variants.size() == 0",
            holds=lambda model: model.repo is not None or not model.variants,
            message="must not be set without repo: variants are repositories of the same model",
            path=".variants",
        ),
        Rule(
            cel="has(self.repo) || !has(self.tokenSecretRef)",
            holds=lambda model: model.repo is not None or model.token_secret_ref is None,
            message="must not be set without repo: the token is for the Hub",
            path=".tokenSecretRef",
        ),
        Rule(
            cel="!has(self.repo) || !has(self.variants) || !self.variants.exists(v, v == self.repo)",
            holds=lambda model: model.repo is None or model.repo not in model.variants,
            message="must not name repo again: the planner always considers it",
            path=".variants",
        ),
    )
