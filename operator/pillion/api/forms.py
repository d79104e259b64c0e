"""In which forms does Kubernetes write names, keys, paths, ports and amounts?"""

from typing import Annotated, Final

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pillion.api import names, quantities
from pillion.api.shape import Rule, written_as

# The API server keeps a bound as a double and then wants it back as an integer, so the highest int64 is refused with
# "Maximum boundary value must be of type integer with format int64". Up to here doubles are exact.
MAX_INTEGER: Final = 2**53 - 1


class IntOrString:
    """A quantity, as the API server takes it: a number or a text."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A text in Python, whatever it was."""
        return core_schema.no_info_before_validator_function(cls._as_text, core_schema.str_schema())

    @staticmethod
    def _as_text(value: object) -> str:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or quantities.parse_or_none(text) is None:
            raise PydanticCustomError("quantity", "must be a quantity such as 500m, 2 or 16Gi", {})
        return text

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The one form that structural schemas allow for this."""
        return {
            "pattern": quantities.PATTERN,
            "maxLength": 32,
            "minimum": 0,  # of a number; the pattern is for texts alone
            "x-kubernetes-int-or-string": True,
        }


Quantity = Annotated[str, IntOrString]

DNS_LABEL: Final = written_as(
    names.DNS_LABEL_PATTERN,
    "must be lower-case letters, digits and '-', and start and end with a letter or a digit (a DNS label)",
)
DnsLabel = Annotated[str, Field(max_length=63), DNS_LABEL]
ObjectName = Annotated[
    str,
    Field(max_length=253),
    written_as(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "must be the name of an object: lower-case letters, digits, '-' and '.', starting and ending with a"
        " letter or a digit",
    ),
]
KeyName = Annotated[
    str,
    Field(max_length=253),
    written_as(r"^[-._a-zA-Z0-9]+$", "must be a key: letters, digits, '-', '_' and '.'"),
]
LABEL_KEY: Final = written_as(
    r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
    "must be a label key such as example.com/pool: an optional DNS prefix and '/', then at most 63 letters,"
    " digits, '-', '_' and '.'",
)
LabelKey = Annotated[str, Field(max_length=317), LABEL_KEY]
LABEL_KEYS: Final = Rule(  # of a map: a structural schema has no way to say it of the keys themselves
    cel=f"self.all(k, {LABEL_KEY.cel.replace('self', 'k')})",
    holds=lambda labels: all(len(key) <= 317 and LABEL_KEY.holds(key) for key in labels),
    message="must have label keys such as example.com/pool: an optional DNS prefix and '/', then at most 63"
    " letters, digits, '-', '_' and '.'",
)
LabelValue = Annotated[
    str,
    Field(max_length=63),
    written_as(
        r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        "must be a label value: letters, digits, '-', '_' and '.', starting and ending with a letter or a"
        " digit",
    ),
]
VariableName = Annotated[
    str,
    Field(max_length=256),
    written_as(
        r"^[A-Za-z_][A-Za-z0-9_]*$",
        "must be a variable's name: letters, digits and '_', not starting with a digit",
    ),
]
_LEAVES_THE_VOLUME: Final = written_as(r"^/|(^|/)\.\.(/|$)", "")
RelativePath = Annotated[
    str,
    Field(min_length=1, max_length=1024),
    Rule(
        cel=f"!{_LEAVES_THE_VOLUME.cel}",
        holds=lambda path: not _LEAVES_THE_VOLUME.holds(path),
        message="must be a path inside the volume: not starting with '/', without '..'",
    ),
]
Port = Annotated[int, Field(ge=names.LOWEST_PORT, le=names.HIGHEST_PORT, strict=True)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
