"""The history of the store's tables; applied when the store is opened or by ``alembic upgrade head``."""
