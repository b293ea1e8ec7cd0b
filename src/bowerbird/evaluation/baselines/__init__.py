"""The baselines every board must carry, as plugins: Pop, ItemKNN, SeqKNN, EASE, iALS."""
