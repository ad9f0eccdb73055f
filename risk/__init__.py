"""The domain: what the engine decides, as pure functions over frozen types. No I/O, clock, randomness or environment.

Names are the national platform's where it has one (`psn_no` person, `mdtrt_id` visit, `setl_id` settlement). Amounts
are integer fen, instants integer milliseconds, days integer local days (Asia/Shanghai), thresholds policy data.

Glossary
--------
log, record     `events.v1`: everything that can change what is remembered of a person, in one order per partition
fact            a record that says what happened: visit, fee line, settlement, agreement, level, bank result
fold            (what is remembered, one record) → (what is remembered, what is said). Live, proof, rebuild: the same
shard           a partition's people, its slot in Redis, its one writer (a lane, streams/) and its atomic commit
lane            the process that alone writes a shard: reads the log in batches, folds, says, commits (streams/lane.py)
epoch           how often a shard was claimed; each claim raises it, so a lane that lost its shard can write no more
position        `p2c@6`: shard and offset; where in the log something was decided
applied offset  the last record a shard has folded; kept in Redis beside the values and moved with them, or not at all
published mark  below it all outputs of a partition are out; what is folded below it again is folded silently
topology        which cluster, topic and partition count the state is of; with another one a shard refuses to go on
digest          XOR of the hashes of all of a shard's values: two folds of one log have equal ones (xinmai verify)
snapshot        a shard's values in a file, at one offset, written by a proof that found them right
fold version    raised where code packs or decides otherwise; the log says from which record on (xinmai fold activate)
pulse           what a lane tells ten times a second: how far each shard is. Checkout and intake pace themselves by it
output, reply   a record for alerts, decisions or withholding, its id a function of its cause; the answer to a checkout
policy, terms   dated, cited values of a place (config/policies/); what of it is in force on one day
clause          one of those values with its document, article and first day. An answer names the clause it rests on
counted         a settlement that is first by its setl_id and not reversed. Rules see nothing else
episode         a rule's threshold reached by a subject: it opens once, one alert, and closes below the re-arm point
second hop      what a person's settlement adds to an institution or doctor, whose windows live in `subjects.v1`
asker           who asks how persons stand: the holder of a token. His queries are facts of his own on `subjects.v1`,
                where a person is a hash; who was asked for stands on `queries.v1` alone
regular         who settled at one place on so many dates that he may be one of a company, who keep coming together
level           A, B, C, D or UNRATED: what the authority says of a person's credit standing. The engine never sets it
agreement       a person's contract with a bank. `card_withhold`: the card is debited later, the hospital is creditor;
                `credit_line`: the bank pays the hospital at once and is creditor
pool            `visit_first` 先门诊后结算 or `deposit_free` 免押金住院, each with its limit
authorization   one question "may this visit be paid on credit?", by the caller's id. Answer: approve, partial, deny;
                or `fallback` (pay the ordinary way), which the HTTP edge gives when the fold did not answer in time
hold            money set aside for an approved authorization; it ends once: captured, released, expired or voided
capture         what a settlement takes out of its hold; what does not fit is the top-up 补缴, paid at the counter
advice          a settlement booked although nothing was held for it: facts cannot be refused
bundle, order   captures that go to the bank together; the message: `debit`, `draw`, `refund`, `cancel`
obligation      what is owed after a capture, in two legs: funding (has the bank paid?) and repayment (has the person?)
exposure        held + used. available = what limit, bank line and caps leave. demand = exposure + uncovered wishes
handling        what people and routes did about alerts: suppressed, acknowledged, judged, told. It changes no alert
suspicion       疑点, a clue for a person to look at. The engine warns and prepares; it sanctions nobody

Reading order
-------------
1. facts/            what can happen. Then outputs.py and reasons.py: what can be said
2. policy.py         how dated, cited values are read; terms.py: what is in force on a day; policy_parameters.py: names
                     (value types: policy_rules.py, policy_values.py; the strict reading of TOML: policy_reading.py,
                     policy_shapes.py, policy_credit_shapes.py, the grammar of rules: policy_measures.py,
                     policy_measure_shapes.py, policy_lines.py, policy_special_items.py,
                     policy_agreement.py; made readable: policy_report.py, policy_examples.py and those it names). The
                     calendar: local_time.py, workdays.py
3. person_fold.py    one record of one person. Read `apply`: all below hangs on it; moment.py is its when and where
4. conduct           activity.py, receipts.py (what is remembered), settlements.py (counted once), waiting.py
                     (undone before it came), person_rules.py (measures), judging.py (episodes), visits.py,
                     line_keys.py, line_parts.py; contributions.py →
                     counters.py, subjects.py, subject_plan.py, second_hop.py (D01, M01, Q01, Q02), staff_rules.py (M03,
                     M09), prescribers.py (D08), regulars.py → companies.py (P18); visit_told.py, credit_visits.py: what
                     is told of beds, lines and debts (H10, M02, M08, H15); pruning.py; ordinary.py: the same in one
                     straight line where no rule has anything to say; stock.py, stock_ledger.py: what an institution has
                     left of an item (stock_rules.py: H07, D07), from its own facts on `subjects.v1`; billed.py: what it
                     billed and never bought (H06); prices.py → market.py, market_rules.py: what it pays and asks beside
                     the others (W01, E01); queries.py: who asks for whom (T01); trace_codes.py: where each box was last
                     sold (D05), boxes.py: what fee lines tell of boxes; item_limits.py: lines that do not fit whose
                     bill they are on (M06, P14); slope.py: P12's; beside it care.py, care_rules.py, line_rules.py,
                     line_episodes.py (P04, P07), stay_rules.py (P10, P11, P20), idle_days.py, heard.py (lines and
                     admissions), admissions.py (what a bill asks of a stay), bills.py, bill_rules.py, insured.py
                     (bills, and what was told of him whose they are); kept_lines.py and event_ids.py: how little is
                     kept of them
5. credit            credit.py (the record), signed.py, ordered.py, watched.py; lifecycle.py (its life on one
                     screen); then money:
                     standing.py, unsigning.py → authorize.py, checks.py, limits.py, exposure.py → holds.py (one
                     transition table) → linking.py, capture.py, capture_request.py → bundles.py, orders.py,
                     attempts.py, order_answers.py → obligations.py, waiting.py, own_refunds.py, legs.py, kept.py,
                     arrears.py → reversal.py, unbooked.py; beside it fee_lines.py, accrual.py, requests.py, demand.py
                     (L80, L90, L100), signals.py (F01-F07), senders.py, visit_claims.py (who may speak of what),
                     reconciliation.py, forgetting.py
6. what is shown     answers.py, decided.py, capture_decisions.py, alerts.py, yuan.py, view.py, refused.py; and what was
                     done about alerts, which no fold reads: handling.py, precision.py, risk_state.py

The cases that say what must come of it are data: tests/cases/rules/*.toml and tests/cases/credit/*.toml; whole lives of
a payment, step by step, are tests/cases/stories/*.toml.
"""
