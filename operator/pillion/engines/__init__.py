"""What can an engine do, and how is it told?

One folder an engine: what is known of it (`profile.yaml`), and its container (`container.yaml.j2`).
"""

from pillion.engines.model import (
    CPU,
    GPU,
    CacheVolume,
    EngineSettings,
    Generation,
    HubModel,
    LocalModel,
    Rendering,
    Resources,
    SecretKey,
    instruction_hash,
)
from pillion.engines.profiles import Cuda, Profile, lists, profile
from pillion.engines.rendering import render

__all__ = [
    "CPU",
    "GPU",
    "CacheVolume",
    "Cuda",
    "EngineSettings",
    "Generation",
    "HubModel",
    "LocalModel",
    "Profile",
    "Rendering",
    "Resources",
    "SecretKey",
    "instruction_hash",
    "lists",
    "profile",
    "render",
]
