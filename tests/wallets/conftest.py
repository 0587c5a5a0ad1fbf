"""A site that reads fake chains: account keys of its own, no bound on how old their blocks are."""

import pytest
from django.conf import LazySettings
from embit.bip32 import HDKey


@pytest.fixture
def roomy(settings: LazySettings) -> None:
    settings.MAX_TIP_AGE_SECONDS = {"litecoin": 10**9, "ethereum": 10**9}


@pytest.fixture
def accounts(settings: LazySettings) -> None:
    root = HDKey.from_seed(b"\x05" * 32)
    paths = {"litecoin": "m/84h/1h/0h", "ethereum": "m/44h/60h/0h"}
    settings.ACCOUNT_KEYS = {chain: root.derive(path).to_public().to_base58() for chain, path in paths.items()}
