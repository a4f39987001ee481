"""Losses under test: each check of each loss a pytest test with a readable id.

    from lossmith.testing import parametrize_with_checks

    @parametrize_with_checks([MyLoss(), dice], expected_failures={"MyLoss": {"LS501": "divides by the tokens"}})
    def test_loss(loss, check):
        check(loss)

Or without a line of code: `pytest --lossmith losses.py`.
"""

from lossmith.testing.checks import Check, checks_of, parametrize_with_checks

__all__ = ["Check", "checks_of", "parametrize_with_checks"]
