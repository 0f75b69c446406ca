"""JTLs as the real JMeter writes them by other people's settings, beside its XML of the very same samples."""

import gzip
import subprocess
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from pacemark.errors import InputError
from pacemark.jmeter.engine import Engine
from pacemark.results.columns import MONTH_FIRST, NO_ZONE
from pacemark.results.digest import Digest

pytestmark = [pytest.mark.jmeter, pytest.mark.patient]

SAVE = "jmeter.save.saveservice."
SAMPLES = 3 * 20 * 2
LABELS = ('GET "zażółć", 東京; ü|x', "POST /fails")
PARTS = "sub-results left out: the samples that they are part of have their time"
PLAN = Path(__file__).with_name("every_kind_of_row.jmx")


def recorded(engine: Engine, folder: Path, parent: str = "false", **settings: str) -> tuple[Path, Path]:
    """The samples as the settings have them, and as XML."""
    plan, samples = folder / "plan.jmx", folder / "samples.jtl"
    plan.write_text(PLAN.read_text(encoding="utf-8").replace("PARENT", parent), encoding="utf-8")
    properties = [f"-J{SAVE}{name}={value}" for name, value in settings.items()]
    command = engine.command(
        ["-n", "-t", str(plan), "-l", str(samples), "-j", str(folder / "jmeter.log"), *properties],
        heap_mb=256,
        work_dir=folder,
    )
    # In UTC, as dates without a zone are read.
    done = subprocess.run(
        [command[0], "-Duser.timezone=UTC", *command[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return samples, folder / "control.xml"


def same(came: Digest, control: Digest) -> None:
    assert control.count == SAMPLES
    assert control.labels == LABELS
    assert control.errors == SAMPLES // 2
    assert any(note.endswith(PARTS) for note in came.notes)
    assert_frame_equal(came.cells, control.cells)
    assert came.start_ms == control.start_ms
    if not came.absent:
        assert_frame_equal(came.sums, control.sums)


@pytest.mark.parametrize(
    ("settings", "notes"),
    [
        pytest.param({}, (f"{SAMPLES // 2} {PARTS}",), id="JMeter's own"),
        pytest.param(
            {"default_delimiter": ";", "print_field_names": "false"}, ("no header",), id="no header"
        ),
        pytest.param(
            {"default_delimiter": "\\t", "timestamp_format": "yyyy/MM/dd HH:mm:ss.SSS", "bytes": "false"},
            (NO_ZONE,),
            id="tabs, dates, fewer columns",
        ),
        pytest.param({"output_format": "xml", "assertion_results": "all"}, (), id="XML"),
    ],
)
def test_each_is_read_as_its_xml(
    engine: Engine, tmp_path: Path, settings: dict[str, str], notes: tuple[str, ...]
) -> None:
    samples, xml = recorded(engine, tmp_path, **settings)
    digest, control = Digest.from_jtl(samples), Digest.from_jtl(xml)
    same(digest, control)
    assert digest.parents == control.parents == SAMPLES // 2
    for note in notes:
        assert any(said.startswith(note) for said in digest.notes), digest.notes
    assert MONTH_FIRST not in digest.notes
    packed = tmp_path / "samples.jtl.gz"
    packed.write_bytes(gzip.compress(samples.read_bytes()))
    same(Digest.from_jtl(packed), control)


def test_a_transaction_may_leave_only_its_sum_in_csv_and_all_samples_in_xml(
    engine: Engine, tmp_path: Path
) -> None:
    samples, xml = recorded(engine, tmp_path, parent="true", subresults="false")
    with pytest.raises(InputError, match="holds only the sums of Transaction Controllers"):
        Digest.from_jtl(samples)
    digest = Digest.from_jtl(xml)
    assert (digest.count, digest.labels, digest.parents) == (SAMPLES, LABELS, SAMPLES // 2)
