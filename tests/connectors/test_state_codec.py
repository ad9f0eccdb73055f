"""What a newer release wrote is refused, not read short: an older one would write it back without the rest."""

from typing import Any

import msgspec
import pytest

from connectors.state_codec import pack, unpack_activity, unpack_credit
from risk.activity import NOTHING
from risk.credit import EMPTY


@pytest.mark.parametrize(("value", "unpack"), [(NOTHING, unpack_activity), (EMPTY, unpack_credit)])
def test_a_field_more_than_known_is_refused(value: Any, unpack: Any):
    fields = msgspec.msgpack.decode(pack(value))
    assert unpack(pack(fields)) == value
    with pytest.raises(msgspec.ValidationError):
        unpack(pack([*fields, 0]))
