"""The models of the bench as plugins: Pop, ItemKNN, SeqKNN, EASE, iALS; each a fit and a score."""
