"""The suite's databases and nodes, for benchmarks that drive the product from inside."""

from tests.conftest import (  # noqa: F401 -- fixtures
    committed_db,
    django_db_setup,
    process_env,
    pytest_configure,
    test_database,
)
from tests.plugin_nodes import ethereum_node, litecoin_node  # noqa: F401 -- fixtures
