"""Student's t against the printed tables."""

import pytest

from pacemark.results.student import cdf, chi_square, quantile


@pytest.mark.parametrize(
    ("share", "degrees", "t"),
    [
        (0.95, 1, 6.314),
        (0.975, 4, 2.776),
        (0.99, 4, 3.747),
        (0.9995, 3, 12.924),
        (0.95, 10, 1.812),
        (0.999, 30, 3.385),
        (0.99, 1e9, 2.326),
    ],
)
def test_quantiles(share: float, degrees: float, t: float) -> None:
    assert quantile(share, degrees) == pytest.approx(t, abs=0.0006)
    assert cdf(quantile(share, degrees), degrees) == pytest.approx(share)


def test_it_is_symmetric_about_zero() -> None:
    assert cdf(0, 7) == pytest.approx(0.5)
    assert cdf(-2.5, 7) == pytest.approx(1 - cdf(2.5, 7))


@pytest.mark.parametrize(
    ("share", "degrees", "value"), [(0.1, 4, 1.064), (0.1, 12, 6.304), (0.2, 30, 23.364)]
)
def test_chi_square(share: float, degrees: float, value: float) -> None:
    assert chi_square(share, degrees) == pytest.approx(value, rel=0.02)
