"""The database of classes: its tables, opening and migrating it, reading and writing."""

from reports.store.store import Store, StoreError, StoreRefused

__all__ = ["Store", "StoreError", "StoreRefused"]
