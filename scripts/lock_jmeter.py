"""Write the lock file of the JMeter that Pacemark installs. For maintainers; needs Maven.

    python scripts/lock_jmeter.py            resolve, hash, write src/pacemark/jmeter/jmeter-lock.json
    python scripts/lock_jmeter.py --check    resolve and hash; exit 1 when the lock file says otherwise

Maven resolves JMeter and the plugins together, the versions managed by JMeter's own list of third-party
libraries, so that what is locked is what the release of JMeter ships (its jdbc, jms, mail, ... protocols left
out). The plugins name JMeter 2.x or 3.x as their dependency: without the exclusions jorphan 3.1 would win.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

JMETER = "5.6.3"
LOCK = Path(__file__).parents[1] / "src/pacemark/jmeter/jmeter-lock.json"

CORE = [
    f"org.apache.jmeter:{name}:{JMETER}"
    for name in (
        "ApacheJMeter",
        "ApacheJMeter_core",
        "ApacheJMeter_http",
        "ApacheJMeter_java",
        "ApacheJMeter_components",
        "ApacheJMeter_functions",
        "ApacheJMeter_config",
        "jorphan",
    )
]
PLUGINS = [
    "kg.apc:jmeter-plugins-casutg:2.10",
    "kg.apc:jmeter-plugins-tst:2.5",
    "kg.apc:jmeter-plugins-graphs-basic:2.0",
    "kg.apc:jmeter-plugins-cmn-jmeter:0.7",
    "net.luminis.jmeter:jmeter-websocket-samplers:1.3.1",
    "com.github.johrstrom:jmeter-prometheus-plugin:0.6.0",
]
# Jars without a class that runs: metadata of Kotlin's multi-platform builds, and annotations of the compiler.
# JMeter's own release leaves them out too.
EMPTY = {
    "com.google.auto.service:auto-service-annotations",
    "io.github.microutils:kotlin-logging",
    "org.jetbrains.kotlin:kotlin-stdlib-common",
    "org.jetbrains.kotlinx:kotlinx-coroutines-core",
}
# Where Maven's nearest-wins picks an older version than JMeter's release ships.
AS_RELEASED = [
    "org.apache.httpcomponents.core5:httpcore5:5.2.4",
    "org.jetbrains.kotlin:kotlin-stdlib-jdk7:1.9.10",
    "org.jetbrains.kotlin:kotlin-stdlib-jdk8:1.9.10",
]
PLUGIN_GROUPS = {"kg.apc", "net.luminis.jmeter", "com.github.johrstrom"}


def pom() -> str:
    """The Maven project whose runtime dependencies are locked."""
    exclusions = (
        "<exclusions><exclusion><groupId>org.apache.jmeter</groupId><artifactId>*</artifactId></exclusion>"
        "</exclusions>"
    )
    dependencies = "".join(
        _dependency(coordinates, exclusions if coordinates in PLUGINS else "")
        for coordinates in CORE + PLUGINS
    )
    managed = "".join(_dependency(coordinates, "") for coordinates in AS_RELEASED)
    managed += _dependency(
        f"org.apache.jmeter:ApacheJMeter_bom-thirdparty:{JMETER}", "<type>pom</type><scope>import</scope>"
    )
    return (
        "<project><modelVersion>4.0.0</modelVersion>"
        "<groupId>pacemark</groupId><artifactId>lock</artifactId><version>1</version>"
        f"<dependencyManagement><dependencies>{managed}</dependencies></dependencyManagement>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


def _dependency(coordinates: str, rest: str) -> str:
    group, name, version = coordinates.split(":")
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version>{rest}</dependency>"
    )


def resolve() -> list[tuple[str, Path]]:
    """Coordinates (``group:name[:classifier]:version``) and the file that Maven fetched for each."""
    with tempfile.TemporaryDirectory() as work:
        Path(work, "pom.xml").write_text(pom(), encoding="utf-8")
        listing = Path(work, "list.txt")
        subprocess.run(
            [
                "mvn",
                "--batch-mode",
                "--quiet",
                "dependency:list",
                "-DincludeScope=runtime",
                "-DoutputAbsoluteArtifactFilename=true",
                f"-DoutputFile={listing}",
            ],
            cwd=work,
            check=True,
        )
        lines = listing.read_text(encoding="utf-8").splitlines()
    return sorted(_resolved(line) for line in lines if ":jar:" in line)


def _resolved(line: str) -> tuple[str, Path]:
    group, name, _jar, *classifier_and_version, _scope, rest = line.strip().split(":")
    path = Path(rest.split(" -- module")[0].strip())
    return ":".join([group, name, *classifier_and_version]), path


def place(coordinates: str) -> str:
    """Where an artifact goes in JMeter's directory: JMeter's own jars by the names its release gives them."""
    group, name, *classifier, version = coordinates.split(":")
    match group, name:
        case "org.apache.jmeter", "ApacheJMeter_config":
            return "bin/"
        case "org.apache.jmeter", "ApacheJMeter":
            return "bin/ApacheJMeter.jar"
        case "org.apache.jmeter", "jorphan":
            return "lib/jorphan.jar"
        case "org.apache.jmeter", _:
            return f"lib/ext/{name}.jar"
    folder = "lib/ext" if group in PLUGIN_GROUPS else "lib"
    return f"{folder}/{'-'.join([name, version, *classifier])}.jar"


def lock() -> str:
    """The lock file's text: one artifact a line."""
    artifacts = []
    for coordinates, path in resolve():
        if ":".join(coordinates.split(":")[:2]) in EMPTY:
            continue
        content = path.read_bytes()
        artifacts.append(
            {
                "coordinates": coordinates,
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
                "path": place(coordinates),
            }
        )
    rows = ",\n".join(json.dumps(artifact) for artifact in artifacts)
    return f'{{"jmeter": "{JMETER}", "artifacts": [\n{rows}\n]}}\n'


def main() -> int:
    """Write or check the lock file."""
    parser = argparse.ArgumentParser(description="Lock the JMeter that Pacemark installs.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the lock differs")
    check: bool = parser.parse_args().check
    text = lock()
    if not check:
        LOCK.write_text(text, encoding="utf-8")
    elif LOCK.read_text(encoding="utf-8") != text:
        print(f"{LOCK} is not what Maven resolves: run scripts/lock_jmeter.py", file=sys.stderr)
        return 1
    print(f"{text.count('sha256')} artifacts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
