"""The definitions of all types that a server sends, as one constant. Sent once at each start of a gob stream.

Invariants
1. After it every message is context-free: the same bytes for every agent, whenever it joined.
2. Never twice in one stream: an agent drops a server that defines a type again.

Ids are ours to choose (from 64 on); an agent accepts definitions in any order and ones that it never needs. Road not
taken: defining a type where it is first used, as Go's encoder does. Each stream would then have bytes of its own.
"""

from __future__ import annotations

from typing import Final

from typha.calico_wire.snappy import STREAM_IDENTIFIER, SnappyWriter

ENVELOPE_ID: Final = 65
SERVER_HELLO_ID: Final = 66
DECODER_RESTART_ID: Final = 67
SYNC_STATUS_ID: Final = 68
PING_ID: Final = 69
KVS_ID: Final = 70

# Reading the first: 22 length; ff81 id -65; 03 the third field, StructT; 01 its CommonType: 01 08 "Envelope" 01 ff82 00
# (Name, Id 65, end); 01 its Field: 01 element, 01 07 "Message" 01 10 00 (Id 8: interface); 00 end; 00 end.
PREAMBLE: Final = bytes.fromhex(
    # 65 Envelope
    "22ff8103010108456e76656c6f706501ff8200010101074d6573736167650110000000"
    # 66 MsgServerHello
    "68ff830301010e4d736753657276657248656c6c6f01ff84000104010756657273696f6e010c00010a53796e63657254797065010c00011b"
    "537570706f7274734e6f64655265736f7572636555706461746573010200010c536572766572436f6e6e49440106000000"
    # 67 MsgDecoderRestart
    "44ff85030101114d73674465636f6465725265737461727401ff8600010201074d657373616765010c000114436f6d7072657373696f6e41"
    "6c676f726974686d010c000000"
    # 68 MsgSyncStatus
    "2aff870301010d4d736753796e6353746174757301ff88000101010a53796e635374617475730106000000"
    # 69 MsgPing
    "24ff89030101074d736750696e6701ff8a000101010954696d657374616d7001ff92000000"
    # 70 MsgKVs
    "1dff8b030101064d73674b567301ff8c00010101034b567301ff8e000000"
    # 71 []SerializedUpdate
    "2bff8d0201011c5b5d73796e6370726f746f2e53657269616c697a656455706461746501ff8e0001ff900000"
    # 72 SerializedUpdate
    "6aff8f0301011053657269616c697a656455706461746501ff9000010601034b6579010c00010556616c7565010a0001085265766973696f"
    "6e011000011156335265736f7572636556657273696f6e010c00010354544c010400010a557064617465547970650106000000"
    # 73 Time
    "10ff910501010454696d6501ff92000000"
)

SNAPPY_PREAMBLE: Final = STREAM_IDENTIFIER + SnappyWriter().compress(PREAMBLE)
"""The same where the stream is compressed: its identifier first."""
