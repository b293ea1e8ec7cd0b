"""The public benchmark tasks behind ``bowerbird bench``: one module a task, one form of report."""
