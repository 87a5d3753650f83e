"""The database of classes: tables, migrations at start, one writer thread and a few readers."""

from reports.store.store import Store, StoreError, StoreRefused

__all__ = ["Store", "StoreError", "StoreRefused"]
