"""The lock file: every artifact of the JMeter that Pacemark installs, by coordinates and SHA-256."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

CHUNK_BYTES = 1 << 20


class Artifact(BaseModel):
    """One file of a Maven repository and its place in JMeter's directory.

    ``coordinates`` are ``group:name[:classifier]:version``. ``path`` is relative to JMeter's directory;
    ``bin/`` means that the artifact's own ``bin/`` folder is unpacked there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    coordinates: str = Field(pattern=r"^[\w.-]+(:[\w.-]+){2,3}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)
    path: str

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ValueError(f"'{path}' leads out of JMeter's directory")
        return path

    @property
    def group(self) -> str:
        return self.coordinates.split(":")[0]

    @property
    def name(self) -> str:
        return self.coordinates.split(":")[1]

    @property
    def version(self) -> str:
        return self.coordinates.split(":")[-1]

    @property
    def classifier(self) -> str:
        """Empty when the coordinates name none."""
        parts = self.coordinates.split(":")
        return parts[2] if len(parts) == 4 else ""

    @property
    def filename(self) -> str:
        """What a Maven repository calls the file."""
        return "-".join(part for part in (self.name, self.version, self.classifier) if part) + ".jar"

    @property
    def repository_path(self) -> str:
        """The file's place in a Maven repository."""
        return "/".join([*self.group.split("."), self.name, self.version, self.filename])

    @property
    def is_unpacked(self) -> bool:
        """Whether its ``bin/`` folder is wanted rather than the file."""
        return self.path.endswith("/")

    def is_at(self, path: Path) -> bool:
        """Whether the file is there with the locked size and hash."""
        return path.is_file() and path.stat().st_size == self.bytes and sha256_of(path) == self.sha256


class Lock(BaseModel):
    """JMeter's version and all artifacts it is made of. ``digest`` names this very set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jmeter: str
    artifacts: tuple[Artifact, ...]
    digest: str = ""

    @model_validator(mode="after")
    def _places_differ(self) -> Self:
        paths = [artifact.path for artifact in self.artifacts]
        if twice := {path for path in paths if paths.count(path) > 1}:
            raise ValueError(f"two artifacts at {', '.join(sorted(twice))}")
        return self

    @property
    def total_bytes(self) -> int:
        """What a first install downloads."""
        return sum(artifact.bytes for artifact in self.artifacts)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a lock file's text; its SHA-256 becomes the digest."""
        lock = cls.model_validate_json(text)
        return lock.model_copy(update={"digest": hashlib.sha256(text.encode()).hexdigest()})


@cache
def read_lock() -> Lock:
    """The lock file that comes with Pacemark."""
    return Lock.parse((files("pacemark.jmeter") / "jmeter-lock.json").read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
