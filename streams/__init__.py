"""The running program: what wires the edges to the domain, and the command line `xinmai`. Importing starts nothing.

The heart: lane.py (the loop), ownership.py and owned.py (which shards, and the one recovery rule), person_shard.py and
subject_shard.py (a shard's fold over its values), publisher.py. Around it: app.py (a worker: lanes as supervised child
processes, Faust agents for the outside world), order_submission.py (orders, driven again from state), alert_routes.py,
alert_outbox.py, handling_board.py, alert_desk.py (who is told of alerts), api.py (a checkout process), settings.py.
Proof: verify.py, proof_of_outputs.py, rebuild.py. A day in the life: up.py, demo.py, city/. command_line.py names every
command.
"""
