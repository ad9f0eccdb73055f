"""A simulated city (模拟城市): insured persons, hospitals, pharmacies, doctors, a bank. Not part of the engine.

Reading order: plan (how big, which days, which seed) → world (who and where) → happenings (what a visit is made of) →
visits (honest traffic) → labels, stage, acts/, misconduct (planted beside innocent twins, all labelled) → stream (one
order of delivery) → canonical and national (two spellings of it) → settlements (bulk for benchmarks). The money side:
quiet → bank_side → books → planted_differences.
"""
