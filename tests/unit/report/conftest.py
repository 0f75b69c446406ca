"""Runs of each verdict, made once."""

import pytest
from report_examples import HOSTILE, Run, example


@pytest.fixture(scope="session")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return example(tmp_path_factory.mktemp("pass"), "pass")


@pytest.fixture(scope="session")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return example(tmp_path_factory.mktemp("fail"), "fail")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An invalid run whose labels and outcomes are attacks on whoever shows them."""
    extra = (HOSTILE, "</script><b>|`x`\"'&amp;[bold]")
    return example(tmp_path_factory.mktemp("hostile"), "invalid", extra=extra)
