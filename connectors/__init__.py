"""The edges: one foreign language each, and no rule inside. They translate, they carry, they never decide.

Coming in: canonical_line.py and national_line.py (strict lines) → intake.py (into the log, or a dead letter);
pseudonym.py before anything is kept. The log: kafka.py, append.py, log_reader.py, topology.py (which partition, which
slot). State: store.py with lua/ (claim, read, commit), state_codec.py (values as bytes), replies.py (answers and pulses
over Redis). Outside: http/ (checkout, queries, alerts), bank.py, notify.py, policy_files.py. On this machine:
embedded.py, bank_simulator.py.

They import risk/ and never streams/. A foreign failure is a ConnectorError (errors.py); it is caught in streams/ only.
"""
