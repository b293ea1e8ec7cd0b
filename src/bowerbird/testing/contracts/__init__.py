"""Contracts: what each kind of store promises, as functions any implementation can be run through.

Each module has ``LAWS``: functions that take a maker of fresh, empty stores and raise AssertionError
where a promise is broken. A plugin author's test is::

    import pytest
    from bowerbird.testing.contracts import event_log

    @pytest.mark.parametrize("law", event_log.LAWS, ids=lambda law: law.__name__)
    def test_my_log_keeps_the_law(law):
        law(MyEventLog)

They need pytest and hypothesis (``pip install bowerbird[dev]``).
"""
