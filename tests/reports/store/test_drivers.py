"""Which package is named for a database whose driver is not installed."""

from __future__ import annotations

import importlib.util

import pytest

from reports.store import Store, StoreError


@pytest.mark.parametrize(
    ("url", "module", "package"),
    [
        ("mysql://u:s3cret@host/name", "MySQLdb", "mysqlclient"),
        ("mariadb://u:s3cret@host/name", "MySQLdb", "mysqlclient"),
        ("mysql+mysqlconnector://u:s3cret@host/name", "mysql", "mysql-connector-python"),
        ("mysql+pymysql://u:s3cret@host/name", "pymysql", "pymysql"),
    ],
)
def test_the_package_of_the_driver_is_named(url: str, module: str, package: str) -> None:
    if importlib.util.find_spec(module) is not None:
        pytest.skip(f"{module} is installed")
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    assert f"run `pip install {package}`" in str(caught.value)
    assert "s3cret" not in str(caught.value)
