"""What plugin authors and our own tests share: contract suites, a tiny world."""
