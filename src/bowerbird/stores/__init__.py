"""Stores: where a workspace keeps its catalogue, events, pictures, vectors, signals and models.

:mod:`~bowerbird.stores.protocol` says what each store promises; the classes named after a technology
(``LanceCatalogue``, ``SqliteEventLog``) keep it on the local disk, :mod:`~bowerbird.stores.memory`
keeps it in memory, and :mod:`bowerbird.testing.contracts` checks either. Import the modules directly:
some load libraries that take a second.
"""
